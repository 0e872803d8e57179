"""A real Apereo CAS over https, installed by `tests/machine/prepare cas` and started once."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

from tests.machine.status import apereo_home
from tests.support.bridge.certificate_authority import KEYSTORE_PASSWORD
from tests.support.cas.cas_process import CasProcess
from tests.support.cas.real_cas import CasVisitor, LogoutChannel, service_pattern

REGISTER_SECONDS_MAX = 15
MAIN_CLASS = "org.apereo.cas.web.CasWebApplication"
# Not a valid XML element name, so the server encodes it.
ENTITLEMENT = "urn:oid:1.3.6.1.4.1.5923.1.1.1.7"
ENTITLEMENTS = ("urn:mace:example.org:library", "urn:mace:example.org:cluster")
_LOGOUT_TYPE = {"by the browser": "FRONT_CHANNEL"}


class ApereoCas(CasProcess):
    """An Apereo CAS with a JSON service registry."""

    kind, version = "Apereo CAS", "7.0.0"
    # samlValidate requires OpenSAML, which is not in the registry of the server's packages.
    protocols = ("3.0", "2.0", "1.0")
    speaks_json = True
    start_seconds_max = 120.0
    logout_channels = ("at the logout URL", "at the service URL", "by the browser")
    names_every_ticket = False
    spends_tickets_of_other_services = False

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self._services = folder / "services"
        self._services.mkdir()

    def prepare_command(self) -> list[str]:
        (self._folder / "application.properties").write_text(self._properties(), encoding="ascii")
        home = apereo_home()
        assert home is not None, "tests/machine/prepare cas"
        return [
            str(home / "java/bin/java"),
            *self.java_options(memory=("256m", "512m")),
            f"-Dcas.standalone.configuration-directory={self._folder}",
            "-cp",
            f"{home}/lib/*",
            MAIN_CLASS,
        ]

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
        self.wait_until(lambda visitor: self._knows(visitor, issuer), within=REGISTER_SECONDS_MAX)

    def unregister(self, issuer: str) -> None:
        self._file(_number(issuer)).unlink()
        self.wait_until(lambda visitor: not self._knows(visitor, issuer), within=REGISTER_SECONDS_MAX)

    def _file(self, number: int) -> Path:
        return self._services / f"Bridge{number}-{number}.json"

    def _knows(self, visitor: CasVisitor, issuer: str) -> bool:
        service = quote(f"{issuer}/cas/callback", safe="")
        return visitor.get(f"{self.url}/login?service={service}").status_code == 200

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
