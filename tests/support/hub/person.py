"""A user who signs in with HTTP requests, for tests of other parts than pages.

Every host resolves to this machine, as a browser resolves *.localhost.
"""

import json
import re
import socket
import ssl
import time
from html import unescape
from http.client import HTTPSConnection
from http.cookiejar import CookieJar
from typing import Any
from urllib.parse import urlencode
from urllib.request import HTTPCookieProcessor, HTTPSHandler, Request, build_opener

from tests.support.docker.deployment import Deployment

KIND = {"Accept": "application/json", "Content-Type": "application/json"}
START_WITHIN = 180  # seconds; a lab on a slow machine


class _Here(HTTPSConnection):
    def connect(self) -> None:
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        plain = socket.create_connection(("127.0.0.1", self.port), timeout=60)
        self.sock = context.wrap_socket(plain, server_hostname=self.host)


class _HereHandler(HTTPSHandler):
    def https_open(self, req: Request) -> Any:
        return self.do_open(_Here, req)


class Person:
    """A user with a cookie jar."""

    def __init__(self, deployment: Deployment, hub_host: str) -> None:
        self._hub = deployment.url(hub_host).rstrip("/")
        self._opener = build_opener(_HereHandler(), HTTPCookieProcessor(CookieJar()))
        self._opener.addheaders = [("Accept", "text/html")]

    def sign_in(self, user: str, password: str) -> str:
        """Sign in at the demo's CAS and return a token for the hub's API."""
        page = self._opener.open(f"{self._hub}/hub/oauth_login?next=%2Fhub%2Fhome", timeout=60)
        hidden = re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)"', page.read().decode())
        fields = {name: unescape(value) for name, value in hidden} | {"username": user, "password": password}
        sent = Request(page.url, urlencode(fields).encode(), {"Referer": page.url})
        back = self._opener.open(sent, timeout=60)
        assert back.url == f"{self._hub}/hub/home", back.url
        xsrf = re.findall(r'xsrf_token: "([^"]+)"', back.read().decode())[0]
        page_of_mine = {"X-XSRFToken": xsrf, "Referer": back.url, "Sec-Fetch-Site": "same-origin"}
        made = self._api("POST", f"/users/{user}/tokens", {"note": "a program"}, page_of_mine)
        return str(made["token"])

    def start_lab(self, user: str, token: str) -> None:
        """Start it and wait for it."""
        mine = {"Authorization": f"token {token}"}
        self._api("POST", f"/users/{user}/server", {}, mine)
        deadline = time.monotonic() + START_WITHIN
        while not self._api("GET", f"/users/{user}", None, mine)["servers"].get("", {}).get("ready"):
            assert time.monotonic() < deadline, f"no lab within {START_WITHIN} s"
            time.sleep(0.5)

    def _api(self, method: str, path: str, sent: dict[str, Any] | None, headers: dict[str, str]) -> dict[str, Any]:
        body = None if sent is None else json.dumps(sent).encode()
        asked = Request(f"{self._hub}/hub/api{path}", body, headers | KIND, method=method)
        answer = self._opener.open(asked, timeout=60).read()
        return dict(json.loads(answer)) if answer else {}
