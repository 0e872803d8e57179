"""A real LemonLDAP::NG portal as a CAS server, from Debian's packages (`tests/machine/prepare lemonldap`)."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

from tests.support.cas.cas_process import CasProcess
from tests.support.cas.real_cas import KnownUser, LogoutChannel

OLD_SECONDS = 3600

_INI = """\
[all]
logLevel = warn
# At every request: register() has to take effect at once.
checkTime = -1
[configuration]
type = File
dirName = {folder}/configurations
[portal]
templateDir = /usr/share/lemonldap-ng/portal/templates
languages = en
"""
# Plack writes text to TLS connections as it is in memory. FastCGI, which Debian configures, writes these bytes.
_PORTAL = """\
use strict;
use warnings;
BEGIN { $INC{"GD/SecurityImage.pm"} = "unused" }    # loaded for captchas, which are off
use JSON;
use Lemonldap::NG::Portal::Main;
use Lemonldap::NG::Portal::UserDB::Demo;
my $user = JSON->new->decode( $ENV{CAS_USER} );
$Lemonldap::NG::Portal::UserDB::Demo::demoAccounts{ $user->{uid} } = $user;
my $portal = Lemonldap::NG::Portal::Main->run( {} );
sub {
    my $response = $portal->(@_);
    utf8::downgrade($_) for @{ $response->[2] };
    $response;
};
"""


class LemonldapCas(CasProcess):
    """A LemonLDAP::NG with its demonstration users. It does not escape attribute values, so they have no markup."""

    kind, version = "LemonLDAP::NG", "2.16.1"
    protocols = ("3.0", "2.0", "1.0")
    speaks_json = False
    logout_channels = ("at the service URL",)
    names_every_ticket = True
    spends_tickets_of_other_services = True
    reports_auth_time = False
    registers_exact_urls = False
    username_field = "user"

    def __init__(self, folder: Path) -> None:
        user = KnownUser(password=KnownUser.name)
        super().__init__(
            folder,
            user=KnownUser(password=user.name, attributes={**user.attributes, "displayName": ('Zoë "Ünï" Casüser',)}),
        )
        self._services: dict[str, str] = {}
        self._number = 0
        for name in ("configurations", "sessions", "histories"):
            (folder / name).mkdir()

    def prepare_command(self) -> list[str]:
        (self._folder / "portal.ini").write_text(_INI.format(folder=self._folder))
        (self._folder / "portal.psgi").write_text(_PORTAL)
        self._write_configuration()
        return [
            "plackup",
            *("--env", "deployment", "--server", "Standalone", "--host", "127.0.0.1", "--port", str(self.port)),
            *("--ssl=1", f"--ssl-key-file={self.files.key}", f"--ssl-cert-file={self.files.certificate}"),
            str(self._folder / "portal.psgi"),
        ]

    def environment(self) -> dict[str, str]:
        account = {name: "; ".join(values) for name, values in self.user.attributes.items()} | {"uid": self.user.name}
        return {
            "LLNG_DEFAULTCONFFILE": str(self._folder / "portal.ini"),
            "CAS_USER": json.dumps(account, ensure_ascii=False),
            "PERL_LWP_SSL_CA_FILE": str(self.ca_file),
        }

    def register(self, issuer: str, *, channel: LogoutChannel = "at the logout URL", exactly: bool = False) -> None:
        """Register a bridge by prefixes of its URLs. Its logout requests always go to the service URL."""
        assert channel != "by the browser", "it has no front channel"
        self._services[issuer] = f"{issuer}/cas/callback" + ("" if exactly else f" {issuer}/logout/done")
        self._write_configuration()

    def unregister(self, issuer: str) -> None:
        del self._services[issuer]
        self._write_configuration()

    def age_sessions(self) -> None:
        for file in (self._folder / "sessions").iterdir():
            session = json.loads(file.read_bytes())
            if "_lastAuthnUTime" in session:
                before = int(time.time()) - OLD_SECONDS
                file.write_text(json.dumps(session | {"_utime": before, "_lastAuthnUTime": before}, ensure_ascii=False))

    def _write_configuration(self) -> None:
        """Write the next version of the configuration. The server reads it before its next request."""
        self._number += 1
        stores = {
            f"{kind}{part}": value
            for kind, folder in (("globalStorage", "sessions"), ("persistentStorage", "histories"))
            for part, value in (
                ("", "Apache::Session::File"),
                ("Options", {"Directory": f"{self._folder}/{folder}", "LockDirectory": str(self._folder)}),
            )
        }
        released = {name: name for name in self.user.attributes}
        configuration: dict[str, Any] = {
            "cfgNum": self._number,
            "cfgDate": str(self._number),
            "authentication": "Demo",
            "userDB": "Same",
            "portal": f"https://127.0.0.1:{self.port}/",
            "domain": "127.0.0.1",
            "securedCookie": 1,
            "key": "the key of the tests",
            **stores,
            "whatToTrace": "uid",
            "locationRules": {},
            "exportedVars": {},
            "demoExportedVars": {"uid": "uid", **released},
            "issuerDBCASActivation": 1,
            "issuerDBCASRule": 1,
            "casAccessControlPolicy": "error",
            "casStrictMatching": 1,
            "casBackChannelSingleLogout": 1,
            "casTicketExpiration": 60,
            "casAttr": "uid",
            "casAttributes": released,
            "casAppMetaDataOptions": {
                f"bridge{number}": {"casAppMetaDataOptionsService": urls}
                for number, urls in enumerate(self._services.values())
            },
        }
        # Written elsewhere and moved: the server may read the newest file at any time.
        draft = self._folder / "draft.json"
        draft.write_text(json.dumps(configuration), encoding="utf-8")
        draft.replace(self._folder / "configurations" / f"lmConf-{self._number}.json")
