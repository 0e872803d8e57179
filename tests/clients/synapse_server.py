"""Synapse, a Matrix server, as an institution runs it for its own people: whoever CAS knows has an account."""

from __future__ import annotations

import base64
import json
import re
import secrets
from dataclasses import dataclass
from html import unescape
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import requests

from tests.clients.application import Application
from tests.clients.person import Person
from tests.clients.site import Credentials, Site
from tests.machine.status import synapse_python

SECONDS_MAX = 30
MATRIX_CLIENT = "http://localhost:9/#/welcome"
"""Where the program of the user waits to hear that its user signed in."""


class Synapse(Application):
    """Serves between __enter__ and __exit__, with a database of its own; by https, or browsers drop its cookies."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.base = f"https://localhost:{self.port}"

    def is_client(self, site: Site, client: Credentials) -> Synapse:
        """Who it is at the bridge: known before it starts."""
        self._ca_file = str(site.ca_file)
        files = [self.folder / name for name in ("homeserver.yaml", "recipe.yaml")]
        for file in files:
            file.touch(mode=0o600)
        files[0].write_text(json.dumps(self._settings(site)))  # JSON is YAML
        # With what it says of groups, for those who want it.
        files[1].write_text(re.sub("^    # ", "    ", client.configuration["homeserver.yaml"], flags=re.MULTILINE))
        read = [word for file in files for word in ("--config-path", file)]
        self.runs([str(synapse_python()), "-m", "synapse.app.homeserver", *read], site.trust)
        return self

    def asks(self, method: str, path: str, body: Any = None, *, token: str = "") -> requests.Response:
        """What a Matrix client sends."""
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        address = f"{self.base}/_matrix/client/{path}"
        return requests.request(method, address, json=body, headers=headers, timeout=SECONDS_MAX, verify=self._ca_file)

    def _answers(self) -> bool:
        try:
            return self.asks("GET", "versions").ok
        except requests.ConnectionError:
            return False

    def _settings(self, site: Site) -> dict[str, Any]:
        key = base64.b64encode(secrets.token_bytes(32)).decode().rstrip("=")
        listener = {
            "port": self.port,
            "bind_addresses": ["127.0.0.1"],
            "type": "http",
            "tls": True,
            "resources": [{"names": ["client"]}],
        }
        return {
            "server_name": "matrix.example.org",
            "public_baseurl": f"{self.base}/",
            "listeners": [listener],
            "tls_certificate_path": str(site.cas.files.certificate),
            "tls_private_key_path": str(site.cas.files.key),
            "database": {"name": "sqlite3", "args": {"database": str(self.folder / "homeserver.db")}},
            "media_store_path": str(self.folder / "media"),
            "signing_key": f"ed25519 test {key}",
            "macaroon_secret_key": secrets.token_hex(32),
            "form_secret": secrets.token_hex(32),
            "trusted_key_servers": [],
            "report_stats": False,
            # One person signs in as often here as a whole department.
            "rc_login": {kind: {"per_second": 100, "burst_count": 100} for kind in ("address", "account")},
            "password_config": {"enabled": False},
        }


@dataclass
class Device:
    """A program that is signed in at the Matrix server."""

    synapse: Synapse
    token: str

    @property
    def is_signed_in(self) -> bool:
        answer = self.synapse.asks("GET", "v3/account/whoami", token=self.token)
        if "No row found (access_tokens)" in answer.text:  # said when it was signed out during this very question
            answer = self.synapse.asks("GET", "v3/account/whoami", token=self.token)
        assert answer.status_code in (200, 401), f"{answer.status_code} {answer.text}\n{self.synapse.log[-3000:]}"
        return answer.ok


def signs_in(synapse: Synapse, person: Person) -> Device:
    """From the server's own address for it, over CAS, to the page that asks whether to go on, and on."""
    query = urlencode({"redirectUrl": MATRIX_CLIENT})
    page = person.get(f"{synapse.base}/_matrix/client/v3/login/sso/redirect/oidc-cas?{query}")
    page = person.submit_password(page) if person.is_at_cas(page) else page
    assert page.status_code == 200, f"{page.url} {page.text}\n{synapse.log[-3000:]}"
    (link,) = re.findall(r'href="(http://localhost:9/[^"]*)"', page.text)
    (token,) = parse_qs(urlsplit(unescape(link)).query)["loginToken"]
    answer = synapse.asks("POST", "v3/login", {"type": "m.login.token", "token": token})
    assert answer.status_code == 200, answer.text
    return Device(synapse, answer.json()["access_token"])
