"""An LDAP server for tests: Debian's slapd with configuration, data and certificate in a temporary folder.

It is independent of a slapd service on the machine. Anonymous searches are rejected by default.
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
# Reject unencrypted connections.
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
    """Serves between __enter__ and __exit__, with StartTLS at `url` and TLS at `tls_url`."""

    def __init__(self, *, anonymous_read: bool = False) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="passerelle-ldap-"))
        self.port, self.tls_port = free_port(), free_port()
        self.url, self.tls_url = f"ldap://localhost:{self.port}", f"ldaps://localhost:{self.tls_port}"
        self.ca_file = self.folder / "server.crt"
        self._others = "anonymous read by * none" if anonymous_read else "users none by anonymous auth"
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
        self.add(PEOPLE)
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
        shutil.rmtree(self.folder)

    def start(self) -> None:
        """Start the server with the existing data and return when it responds."""
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [SLAPD, "-d", "0", "-f", self.folder / "slapd.conf", "-h", f"{self.url}/ {self.tls_url}/"],
                stdout=log,
                stderr=log,
                preexec_fn=_end_with_parent,  # noqa: PLW1509  fixtures start it before any thread
            )
        deadline = time.monotonic() + START_SECONDS
        while self._tool("ldapwhoami", check=False).returncode:
            assert self._process.poll() is None, (self.folder / "log").read_text()
            assert time.monotonic() < deadline, (self.folder / "log").read_text()
            time.sleep(0.05)

    def stop(self) -> None:
        if self._process is not None:
            self._process.terminate()
            self._process.wait(15)
            self._process = None

    def suspend(self, hanging: bool) -> None:
        """Accept connections without responding, or resume."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP if hanging else signal.SIGCONT)

    def add(self, ldif: str) -> None:
        self._tool("ldapadd", given=ldif)

    def modify(self, ldif: str) -> None:
        self._tool("ldapmodify", given=ldif)

    def delete(self, dn: str) -> None:
        self._tool("ldapdelete", dn)

    def add_user(self, name: str, password: str) -> None:
        """Add a user."""
        self.add(
            f"dn: uid={name},ou=people,{BASE}\nobjectClass: inetOrgPerson\nuid: {name}\ncn: {name}\nsn: {name}\n"
            f"employeeNumber: 7{name}\nuserPassword: {password}\n"
        )

    def add_group(self, name: str, *members: str) -> None:
        """Add a group; a groupOfNames needs a member, so it has a placeholder."""
        listed = "".join(f"member: uid={member},ou=people,{BASE}\n" for member in ("placeholder", *members))
        self.add(f"dn: cn={name},ou=groups,{BASE}\nobjectClass: groupOfNames\ncn: {name}\n{listed}")

    def remove_member(self, member: str, group: str) -> None:
        """Remove a member from a group."""
        self.modify(
            f"dn: cn={group},ou=groups,{BASE}\nchangetype: modify\ndelete: member\n"
            f"member: uid={member},ou=people,{BASE}\n"
        )

    def _tool(
        self, program: str, *arguments: str, given: str = "", check: bool = True
    ) -> subprocess.CompletedProcess[str]:
        # The tools resolve the name to another one, so they do not verify the certificate.
        command = [program, "-x", "-ZZ", "-H", self.url, "-D", ADMIN, "-w", ADMIN_PASSWORD, *arguments]
        environment = {"PATH": "/usr/bin:/bin", "LDAPTLS_REQCERT": "never"}
        done = subprocess.run(
            command, input=given, env=environment, capture_output=True, text=True, timeout=20, check=False
        )
        assert not check or done.returncode == 0, done.stderr
        return done
