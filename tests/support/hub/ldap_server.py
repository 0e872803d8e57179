"""A directory of the tests' own: Debian's slapd with its configuration, data and certificate in a temporary folder.

Never the service that Debian may run. Anybody may look for people and groups only if the test says so.
"""

from __future__ import annotations

import ctypes
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Self

from tests.machine.status import SLAPD
from tests.support.bridge.live_bridge import free_port
from tests.support.certificates import write_certificate

BASE = "dc=example,dc=org"
ADMIN, ADMIN_PASSWORD = f"cn=admin,{BASE}", "the admin's own"
READER, READER_PASSWORD = f"cn=reader,{BASE}", "the reader's own"
START_SECONDS = 20
CONFIGURATION = """\
include /etc/ldap/schema/core.schema
include /etc/ldap/schema/cosine.schema
include /etc/ldap/schema/inetorgperson.schema
include /etc/ldap/schema/nis.schema
pidfile {folder}/slapd.pid
modulepath /usr/lib/ldap
moduleload back_mdb
TLSCertificateFile {folder}/server.crt
TLSCertificateKeyFile {folder}/server.key
# Nothing in the clear, not even by mistake of the hub.
security {security}
database mdb
maxsize 10485760
suffix "{base}"
directory {folder}/data
rootdn "{admin}"
rootpw "{password}"
access to attrs=userPassword by anonymous auth by * none
access to * by dn.exact="{reader}" read by {others}
"""
PEOPLE = f"""\
dn: {BASE}
objectClass: dcObject
objectClass: organization
o: Example
dc: example

dn: ou=people,{BASE}
objectClass: organizationalUnit
ou: people

dn: ou=groups,{BASE}
objectClass: organizationalUnit
ou: groups

dn: {READER}
objectClass: organizationalRole
objectClass: simpleSecurityObject
cn: reader
userPassword: {READER_PASSWORD}
"""


def _end_with_parent() -> None:
    ctypes.CDLL(None).prctl(1, signal.SIGKILL, 0, 0, 0)


class LdapServer:
    """Serves between __enter__ and __exit__, by StartTLS at `url` and by TLS from the start at `tls_url`."""

    def __init__(self, *, anybody_may_look: bool = False) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="passerelle-ldap-"))
        self.port, self.tls_port = free_port(), free_port()
        self.url, self.tls_url = f"ldap://localhost:{self.port}", f"ldaps://localhost:{self.tls_port}"
        self.ca_file = self.folder / "server.crt"
        self._others = "anonymous read by * none" if anybody_may_look else "users none by anonymous auth"
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        write_certificate(self.folder, ["localhost"])
        (self.folder / "data").mkdir()
        configuration = CONFIGURATION.format(
            folder=self.folder,
            base=BASE,
            admin=ADMIN,
            password=ADMIN_PASSWORD,
            reader=READER,
            others=self._others,
            security="tls=128",
        )
        (self.folder / "slapd.conf").write_text(configuration)
        self.start()
        self.adds(PEOPLE)
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
        shutil.rmtree(self.folder)

    def start(self) -> None:
        """Return when it answers; the data of before is there."""
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [SLAPD, "-d", "0", "-f", self.folder / "slapd.conf", "-h", f"{self.url}/ {self.tls_url}/"],
                stdout=log,
                stderr=log,
                preexec_fn=_end_with_parent,  # noqa: PLW1509  no thread is at work yet when a fixture starts it
            )
        give_up = time.monotonic() + START_SECONDS
        while self._tool("ldapwhoami", check=False).returncode:
            assert self._process.poll() is None, (self.folder / "log").read_text()
            assert time.monotonic() < give_up, (self.folder / "log").read_text()
            time.sleep(0.05)

    def stop(self) -> None:
        if self._process is not None:
            self._process.terminate()
            self._process.wait(15)
            self._process = None

    def hangs(self, hanging: bool) -> None:
        """Connections are taken and never answered."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP if hanging else signal.SIGCONT)

    def adds(self, ldif: str) -> None:
        self._tool("ldapadd", given=ldif)

    def changes(self, ldif: str) -> None:
        self._tool("ldapmodify", given=ldif)

    def deletes(self, dn: str) -> None:
        self._tool("ldapdelete", dn)

    def person(self, name: str, password: str) -> None:
        """A new one."""
        self.adds(
            f"dn: uid={name},ou=people,{BASE}\nobjectClass: inetOrgPerson\nuid: {name}\ncn: {name}\nsn: {name}\n"
            f"employeeNumber: 7{name}\nuserPassword: {password}\n"
        )

    def group(self, name: str, *members: str) -> None:
        """A new one; a groupOfNames needs a member, so nobody is one."""
        listed = "".join(f"member: uid={member},ou=people,{BASE}\n" for member in ("nobody", *members))
        self.adds(f"dn: cn={name},ou=groups,{BASE}\nobjectClass: groupOfNames\ncn: {name}\n{listed}")

    def removes(self, member: str, group: str) -> None:
        """Out of the group."""
        self.changes(
            f"dn: cn={group},ou=groups,{BASE}\nchangetype: modify\ndelete: member\n"
            f"member: uid={member},ou=people,{BASE}\n"
        )

    def _tool(
        self, program: str, *arguments: str, given: str = "", check: bool = True
    ) -> subprocess.CompletedProcess[str]:
        # Over TLS, because the server takes nothing else; its name is another to these tools, who ask the resolver.
        command = [program, "-x", "-ZZ", "-H", self.url, "-D", ADMIN, "-w", ADMIN_PASSWORD, *arguments]
        environment = {"PATH": "/usr/bin:/bin", "LDAPTLS_REQCERT": "never"}
        done = subprocess.run(
            command, input=given, env=environment, capture_output=True, text=True, timeout=20, check=False
        )
        assert not check or done.returncode == 0, done.stderr
        return done
