"""A person who signs in by forms and links alone, for tests that look at something else than pages.

Every host is this machine, as it is to a browser for *.localhost.
"""

import json
import re
import socket
import ssl
import time
from http.client import HTTPSConnection
from http.cookiejar import CookieJar
from typing import Any
from urllib.parse import urlencode
from urllib.request import HTTPCookieProcessor, HTTPSHandler, Request, build_opener

from tests.support.deployment import Deployment

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
    """Somebody with cookies of their own."""

    def __init__(self, deployment: Deployment, hub_host: str) -> None:
        self._hub = deployment.url(hub_host).rstrip("/")
        self._cookies = CookieJar()
        self._opener = build_opener(_HereHandler(), HTTPCookieProcessor(self._cookies))
        self._opener.addheaders = [("Accept", "text/html")]

    def sign_in(self, user: str, password: str) -> str:
        """From the hub over the demo's CAS back to the hub; return a token for the hub's API."""
        page = self._opener.open(f"{self._hub}/hub/oauth_login?next=%2Fhub%2Fhome", timeout=60)
        fields = dict(re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)"', page.read().decode()))
        fields |= {"username": user, "password": password}
        back = self._opener.open(page.url, urlencode(fields).encode(), timeout=60)
        assert back.url == f"{self._hub}/hub/home", back.url
        xsrf = next(one.value for one in self._cookies if one.name == "_xsrf" and one.path == "/hub/")
        made = self._api("POST", f"/users/{user}/tokens", {"note": "a program"}, {"X-XSRFToken": xsrf or ""})
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
        asked = Request(f"{self._hub}/hub/api{path}", body, headers | {"Accept": "application/json"}, method=method)
        answer = self._opener.open(asked, timeout=60).read()
        return dict(json.loads(answer)) if answer else {}
