"""Synapse, a Matrix server whose users sign in through CAS."""

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
"""The URL where the Matrix client receives its login token."""


class Synapse(Application):
    """Serves between __enter__ and __exit__, with its own database, over https because of its secure cookies."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.base = f"https://localhost:{self.port}"

    def configure_client(self, site: Site, client: Credentials) -> Synapse:
        """Write the configuration of the client, before the start."""
        self._ca_file = str(site.ca_file)
        files = [self.folder / name for name in ("homeserver.yaml", "recipe.yaml")]
        for file in files:
            file.touch(mode=0o600)
        files[0].write_text(json.dumps(self._settings(site)))  # JSON is YAML
        # Enable the commented lines about groups as well.
        files[1].write_text(re.sub("^    # ", "    ", client.configuration["homeserver.yaml"], flags=re.MULTILINE))
        read = [word for file in files for word in ("--config-path", file)]
        self.configure([str(synapse_python()), "-m", "synapse.app.homeserver", *read], site.trust)
        return self

    def request(self, method: str, path: str, body: Any = None, *, token: str = "") -> requests.Response:
        """Send a request as a Matrix client."""
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        address = f"{self.base}/_matrix/client/{path}"
        return requests.request(method, address, json=body, headers=headers, timeout=SECONDS_MAX, verify=self._ca_file)

    def _answers(self) -> bool:
        try:
            return self.request("GET", "versions").ok
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
            # One user signs in very often here.
            "rc_login": {kind: {"per_second": 100, "burst_count": 100} for kind in ("address", "account")},
            "password_config": {"enabled": False},
        }


@dataclass
class Device:
    """A Matrix client that is signed in."""

    synapse: Synapse
    token: str

    @property
    def is_signed_in(self) -> bool:
        response = self.synapse.request("GET", "v3/account/whoami", token=self.token)
        if "No row found (access_tokens)" in response.text:  # a sign-out during the request
            response = self.synapse.request("GET", "v3/account/whoami", token=self.token)
        assert response.status_code in (200, 401), f"{response.status_code} {response.text}\n{self.synapse.log[-3000:]}"
        return response.ok


def sign_in(synapse: Synapse, person: Person) -> Device:
    """Sign in through CAS and confirm on the page of Synapse."""
    query = urlencode({"redirectUrl": MATRIX_CLIENT})
    page = person.get(f"{synapse.base}/_matrix/client/v3/login/sso/redirect/oidc-cas?{query}")
    page = person.submit_password(page) if person.is_at_cas(page) else page
    assert page.status_code == 200, f"{page.url} {page.text}\n{synapse.log[-3000:]}"
    (link,) = re.findall(r'href="(http://localhost:9/[^"]*)"', page.text)
    (token,) = parse_qs(urlsplit(unescape(link)).query)["loginToken"]
    response = synapse.request("POST", "v3/login", {"type": "m.login.token", "token": token})
    assert response.status_code == 200, response.text
    return Device(synapse, response.json()["access_token"])
