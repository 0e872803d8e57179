"""A user's browser without pages: requests with cookies, and kernel websockets. Every host is this machine."""

from __future__ import annotations

import re
import socket
import ssl
import threading
import time
import warnings
from contextlib import suppress
from html import unescape
from typing import Any
from urllib.parse import urlsplit

import requests
import websocket
from requests.adapters import HTTPAdapter
from requests.cookies import get_cookie_header
from urllib3.connection import HTTPSConnection
from urllib3.connectionpool import HTTPSConnectionPool

START_WITHIN = 120  # seconds; a lab on a slow machine
HIDDEN_FIELD = re.compile(r'<input type="hidden" name="([^"]+)" value="([^"]*)"')


class _LocalConnection(HTTPSConnection):
    def _new_conn(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port or 443), timeout=60)


class _LocalPool(HTTPSConnectionPool):
    ConnectionCls = _LocalConnection


class _LocalAdapter(HTTPAdapter):
    def init_poolmanager(self, *args: Any, **options: Any) -> None:
        super().init_poolmanager(*args, **options)
        self.poolmanager.pool_classes_by_scheme = {"https": _LocalPool}


class LocalBrowser(requests.Session):
    """A browser of one user of the hub."""

    def __init__(self, hub_url: str) -> None:
        super().__init__()
        self.hub_url = hub_url
        self.lab_url = ""
        self.trust_env = False  # REQUESTS_CA_BUNDLE would replace `verify`
        self.verify = False
        self.headers["Accept"] = "text/html"
        self.mount("https://", _LocalAdapter())

    def request(self, *args: Any, **options: Any) -> requests.Response:
        """Send a request with a time limit."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the certificate is not verified
            return super().request(*args, **{"timeout": 60} | options)

    def sign_in(self, user: str, password: str) -> None:
        """Sign in at the hub; CAS asks for the password unless this browser has a session."""
        page = self.get(f"{self.hub_url}/hub/oauth_login?next=%2Fhub%2Fhome")
        if "/cas/login" in page.url:
            page = self.submit(page, username=user, password=password)
        assert page.url == f"{self.hub_url}/hub/home", f"{page.url}: {page.text[-1000:]}"

    def submit(self, page: requests.Response, **fields: str) -> requests.Response:
        """Submit the form of a page to the page itself."""
        hidden = {name: unescape(value) for name, value in HIDDEN_FIELD.findall(page.text)}
        return self.post(page.url, data=hidden | fields, headers={"Referer": page.url})

    def start_lab(self, user: str) -> None:
        """Start the user's lab unless it runs, and open it."""
        home = self.get(f"{self.hub_url}/hub/home")
        xsrf = re.findall(r'xsrf_token: "([^"]+)"', home.text)[0]
        api = f"{self.hub_url}/hub/api/users/{user}"
        headers = {"X-XSRFToken": xsrf, "Referer": home.url, "Sec-Fetch-Site": "same-origin"}
        if "" not in self.get(api, headers=headers).json()["servers"]:
            started = self.post(f"{api}/server", json={}, headers=headers)
            assert started.status_code in (201, 202), started.text
        deadline = time.monotonic() + START_WITHIN
        while not self.get(api, headers=headers).json()["servers"].get("", {}).get("ready"):
            assert time.monotonic() < deadline, f"no lab within {START_WITHIN} s"
            time.sleep(0.3)
        self.open_lab(user)

    def open_lab(self, user: str) -> None:
        """Open the running lab, which gets a token for this browser from the hub."""
        page = self.get(f"{self.hub_url}/user/{user}/lab")
        assert page.ok, f"{page.url}: {page.text[-1000:]}"
        self.lab_url = page.url[: page.url.rindex("/lab")]

    def is_signed_in(self) -> bool:
        """Return whether the hub shows the user's home page."""
        return self.get(f"{self.hub_url}/hub/home", allow_redirects=False).status_code == 200

    def reaches_lab(self) -> bool:
        """Return whether the API of the open lab accepts this browser."""
        return self.get(f"{self.lab_url}/api/contents?content=0", headers={"Accept": "*/*"}).status_code == 200

    def start_kernel(self) -> str:
        """Start a kernel and return its id."""
        made = self.post(f"{self.lab_url}/api/kernels", json={}, headers={"X-XSRFToken": self._lab_xsrf()})
        assert made.status_code == 201, made.text
        return str(made.json()["id"])

    def open_channel(self, kernel: str) -> KernelChannel:
        """Open a websocket of a kernel with the cookies of this browser."""
        url = f"{self.lab_url}/api/kernels/{kernel}/channels"
        parts = urlsplit(url)
        connection = websocket.create_connection(
            f"wss://127.0.0.1:{parts.port}{parts.path}",
            host=parts.netloc,
            origin=f"https://{parts.netloc}",
            cookie=get_cookie_header(self.cookies, requests.Request("GET", url)),
            header=["Sec-Fetch-Mode: websocket"],
            sslopt={"cert_reqs": ssl.CERT_NONE, "check_hostname": False, "server_hostname": parts.hostname},
        )
        return KernelChannel(connection)

    def _lab_xsrf(self) -> str:
        path = f"{urlsplit(self.lab_url).path}/"
        host = urlsplit(self.lab_url).hostname
        found = {(one.path, one.domain): one.value for one in self.cookies if one.name == "_xsrf"}
        return next(value or "" for (at, domain), value in found.items() if domain == host and path.startswith(at))


class KernelChannel:
    """An open websocket of a kernel, which responds to pings as a browser does."""

    def __init__(self, connection: websocket.WebSocket) -> None:
        self._connection = connection
        self._thread = threading.Thread(target=self._listen, daemon=True)
        self._thread.start()

    def _listen(self) -> None:
        with suppress(websocket.WebSocketException, OSError):
            while self._connection.recv():
                pass

    def is_open(self) -> bool:
        """Return whether neither side has closed the websocket."""
        return self._thread.is_alive()

    def close(self) -> None:
        """Close the websocket, as a closed tab does."""
        self._connection.close()
        self._thread.join(10)
        self._connection.shutdown()  # `close` keeps the socket if the server closed the websocket first
