"""A real Apereo CAS over https, installed by `tests/machine/prepare cas` and started once."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self
from urllib.parse import quote, urlsplit

import psutil

from tests.machine.status import apereo_home
from tests.support.bridge.certificate_authority import KEYSTORE_PASSWORD, CertificateAuthority
from tests.support.bridge.live_bridge import free_port
from tests.support.cas.real_cas import CasVisitor, LogoutChannel, RealCas, service_pattern

START_SECONDS_MAX = 120
REGISTER_SECONDS_MAX = 15
# For a quick start: no optimising compiler, no parallel collector, little memory.
JAVA_OPTIONS = ("-Xms256m", "-Xmx512m", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC")
MAIN_CLASS = "org.apereo.cas.web.CasWebApplication"
# Not a valid XML element name, so the server encodes it.
ENTITLEMENT = "urn:oid:1.3.6.1.4.1.5923.1.1.1.7"
ENTITLEMENTS = ("urn:mace:example.org:library", "urn:mace:example.org:cluster")
_LOGOUT_TYPE = {"by the browser": "FRONT_CHANNEL"}


class ApereoCas(RealCas):
    """An Apereo CAS that runs in its own process between __enter__ and __exit__, with a JSON service registry."""

    kind, version = "Apereo CAS", "7.0.0"
    # samlValidate requires OpenSAML, which is not in the registry of the server's packages.
    protocols = ("3.0", "2.0", "1.0")
    speaks_json = True
    names_every_ticket = False
    spends_tickets_of_other_services = False

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self._folder = folder
        self._services = folder / "services"
        self._services.mkdir()
        authority = CertificateAuthority(folder)
        self.ca_file = authority.ca_file
        self.files = authority.issue("127.0.0.1", "localhost")
        self._truststore = authority.truststore
        self.port = free_port()
        self.url = f"https://127.0.0.1:{self.port}/cas"
        self.log_file = folder / "apereo.log"
        self.start_seconds = 0.0
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        began = time.monotonic()
        (self._folder / "application.properties").write_text(self._properties(), encoding="ascii")
        home = apereo_home()
        assert home is not None, "tests/machine/prepare cas"
        # The server must not outlive this process if it is killed.
        tied = ["setpriv", "--pdeathsig", "TERM"] if shutil.which("setpriv") else []
        command = [
            *tied,
            str(home / "java/bin/java"),
            *JAVA_OPTIONS,
            f"-Djava.io.tmpdir={self._folder}",
            # The certificate of the bridge, which receives logout requests, has the same authority.
            f"-Djavax.net.ssl.trustStore={self._truststore}",
            f"-Djavax.net.ssl.trustStorePassword={KEYSTORE_PASSWORD}",
            f"-Dcas.standalone.configuration-directory={self._folder}",
            "-cp",
            f"{home}/lib/*",
            MAIN_CLASS,
        ]
        environment = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
        with self.log_file.open("wb") as log:
            self._process = subprocess.Popen(
                command, cwd=self._folder, env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
        try:
            self._await(lambda visitor: visitor.get(f"{self.url}/login").status_code == 200, START_SECONDS_MAX)
        except BaseException:
            self.__exit__()
            raise
        self.start_seconds = time.monotonic() - began
        return self

    def __exit__(self, *_: object) -> None:
        if self._process is not None:
            self._process.terminate()
            try:
                self._process.wait(10)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
            self._process = None

    @property
    def resident_bytes(self) -> int:
        """Resident memory of the process."""
        assert self._process is not None
        return int(psutil.Process(self._process.pid).memory_info().rss)

    def register(self, issuer: str, *, channel: LogoutChannel = "at the logout URL", exactly: bool = False) -> None:
        number = _number(issuer)
        definition: dict[str, Any] = {
            "@class": "org.apereo.cas.services.CasRegisteredService",
            "serviceId": service_pattern(issuer, exactly=exactly),
            "name": f"Bridge{number}",
            "id": number,
            "logoutType": _LOGOUT_TYPE.get(channel, "BACK_CHANNEL"),
            "attributeReleasePolicy": {"@class": "org.apereo.cas.services.ReturnAllAttributeReleasePolicy"},
        }
        if channel != "at the service URL":
            definition["logoutUrl"] = f"{issuer}/cas/logout"
        # Written elsewhere and moved: the server reads a file as soon as it appears.
        draft = self._folder / "draft.json"
        draft.write_text(json.dumps(definition), encoding="utf-8")
        draft.replace(self._file(number))
        self._await(lambda visitor: self._knows(visitor, issuer), REGISTER_SECONDS_MAX)

    def unregister(self, issuer: str) -> None:
        self._file(_number(issuer)).unlink()
        self._await(lambda visitor: not self._knows(visitor, issuer), REGISTER_SECONDS_MAX)

    def _file(self, number: int) -> Path:
        return self._services / f"Bridge{number}-{number}.json"

    def _knows(self, visitor: CasVisitor, issuer: str) -> bool:
        service = quote(f"{issuer}/cas/callback", safe="")
        return visitor.get(f"{self.url}/login?service={service}").status_code == 200

    def _await(self, is_so: Callable[[CasVisitor], bool], within: float) -> None:
        deadline = time.monotonic() + within
        visitor = CasVisitor(self)
        try:
            while True:
                assert self._process is not None
                assert self._process.poll() is None, f"Apereo CAS has ended:\n{self._log_end()}"
                try:
                    if is_so(visitor):
                        return
                except OSError:  # not listening yet
                    pass
                assert time.monotonic() < deadline, f"Apereo CAS: not within {within} s:\n{self._log_end()}"
                time.sleep(0.1)
        finally:
            visitor.close()

    def _log_end(self) -> str:
        return self.log_file.read_text(errors="replace")[-4000:]

    def _properties(self) -> str:
        released = dict(self.user.attributes) | {ENTITLEMENT: ENTITLEMENTS}
        lines = {
            "cas.server.name": f"https://127.0.0.1:{self.port}",
            "cas.server.prefix": self.url,
            "server.address": "127.0.0.1",
            "server.port": str(self.port),
            "server.ssl.enabled": "true",
            "server.ssl.key-store": f"file:{self.files.keystore}",
            "server.ssl.key-store-type": "PKCS12",
            "server.ssl.key-store-password": KEYSTORE_PASSWORD,
            "server.ssl.key-password": KEYSTORE_PASSWORD,
            "cas.authn.accept.users": f"{self.user.name}::{self.user.password}",
            "cas.service-registry.json.location": f"file:{self._services}",
            "cas.service-registry.core.init-from-json": "false",
            # In addition to watching the folder, which some filesystems do not support.
            "cas.service-registry.schedule.start-delay": "PT1S",
            "cas.service-registry.schedule.repeat-interval": "PT1S",
            # Test machines can be slow; the default of 10 s is not tested here.
            "cas.ticket.st.time-to-kill-in-seconds": "PT60S",
            "cas.logout.follow-service-redirects": "true",
            # Synchronous, so that all clients are notified when the logout returns.
            "cas.slo.asynchronous": "false",
            # Otherwise it creates keys at every start, with a warning.
            "cas.tgc.crypto.enabled": "false",
            "cas.webflow.crypto.enabled": "false",
            "logging.level.org.apereo.cas": "warn",
            **{
                f"cas.authn.attribute-repository.stub.attributes.[{name}]": ",".join(values)
                for name, values in released.items()
            },
        }
        return "".join(f"{_escaped(name)}={_escaped(value)}\n" for name, value in lines.items())


def _number(issuer: str) -> int:
    """Return the id of a service; bridges differ by their port."""
    port = urlsplit(issuer).port
    assert port is not None
    return port


def _escaped(text: str) -> str:
    """Escape text for a properties file: ASCII only, with backslashes."""
    written = (f"\\{letter}" if letter in "\\:= #!" else letter for letter in text)
    return "".join(part if part.isascii() else f"\\u{ord(part):04x}" for part in written)
