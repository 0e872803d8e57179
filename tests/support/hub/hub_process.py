"""The hub with its shipped configuration as a process, without proxy and labs: for everything about signing in."""

from __future__ import annotations

import contextlib
import secrets
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

import psutil
import requests

from tests.support.bridge.live_bridge import clean_environment, free_port

CONFIG = Path(__file__).parents[2] / "interop" / "sign_in_config.py"
READY_WITHIN_SECONDS = 60
OURS = ("AUTH_METHOD", "OIDC_", "LDAP_", "HUB_", "AUTH_ALLOWED_GROUPS", "AUTH_ADMIN_GROUPS")


class HubProcess:
    """Serves between __enter__ and __exit__. Facts are asked for again after one second."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.token = secrets.token_hex(32)
        self.log_file = folder / "hub.log"
        self.conf = folder / "conf.d"
        self.conf.mkdir()
        self.configured("10-age.py", "c.Authenticator.auth_refresh_age = 1\n")
        self.environment: dict[str, str] = {}
        self.process: subprocess.Popen[bytes] | None = None

    def configured(self, name: str, text: str) -> None:
        """A file of the site's own configuration."""
        (self.conf / name).write_text(text, encoding="utf-8")

    def secret(self, name: str, value: str) -> str:
        """The path of a file that holds it."""
        path = self.folder / name
        path.write_text(f"{value}\n", encoding="utf-8")
        return str(path)

    def with_settings(self, settings: Mapping[str, str]) -> Self:
        """What .env would say."""
        kept = {name: value for name, value in clean_environment().items() if not name.startswith(OURS)}
        self.environment = kept | {
            "HUB_PUBLIC_URL": self.url,
            "HUB_BIND_URL": self.url,
            "HUB_API_CONNECT_URL": self.url,
            "HUB_DATA_DIR": str(self.folder),
            "HUB_CONF_DIR": str(self.conf),
            "HUB_CRYPT_KEY_FILE": self.secret("crypt-key", "0f" * 32),
            "HUB_TEST_TOKEN": self.token,
            "AUTH_PUBLIC_URL": "https://auth.example.org",
            "AUTH_INTERNAL_URL": "http://127.0.0.1:9",
            "OAUTH_CLIENT_ID": "jupyterhub",
            "OAUTH_CLIENT_SECRET_FILE": self.secret("client-secret", "unused"),
            "TRAEFIK_DYNAMIC_FILE": str(self.folder / "routes.toml"),
            "TRAEFIK_API_URL": "http://127.0.0.1:9",
            "TRAEFIK_API_PASSWORD_FILE": self.secret("api-password", "unused"),
            "AUTH_ALLOWED_GROUPS": "staff;students",
            "AUTH_ADMIN_GROUPS": "admins",
            **settings,
        }
        return self

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
        # Labs outlive their hub by design; these (hub_labs.py) have left their numbers here.
        for mark in self.folder.glob("*.lab"):
            with contextlib.suppress(psutil.NoSuchProcess):
                lab = psutil.Process(int(mark.stem))
                if str(self.folder) in " ".join(lab.cmdline()):
                    lab.terminate()

    def start(self) -> None:
        """Return when it answers."""
        with self.log_file.open("a") as log:
            command = [sys.executable, "-m", "jupyterhub", f"--config={CONFIG}"]
            self.process = subprocess.Popen(
                command, cwd=self.folder, env=self.environment, stdout=log, stderr=subprocess.STDOUT
            )
        give_up = time.monotonic() + READY_WITHIN_SECONDS
        while not self._answers():
            assert self.process.poll() is None, self.log
            assert time.monotonic() < give_up, self.log
            time.sleep(0.1)

    def stop(self) -> None:
        if self.process is not None:
            self.process.terminate()
            self.process.wait(20)
            self.process = None

    def refuses_to_start(self) -> str:
        """What it says when it ends by itself."""
        command = [sys.executable, "-m", "jupyterhub", f"--config={CONFIG}"]
        done = subprocess.run(
            command, cwd=self.folder, env=self.environment, capture_output=True, text=True, timeout=60, check=False
        )
        assert done.returncode == 1, done.stdout + done.stderr
        return done.stderr

    @property
    def log(self) -> str:
        """All that it said."""
        return self.log_file.read_text(encoding="utf-8")

    def user(self, name: str) -> dict[str, Any]:
        """What the hub knows about somebody, asked by a service of the test's own."""
        return dict(self.asks("GET", f"/users/{name}", self.token).json())

    def asks(self, method: str, path: str, token: str) -> requests.Response:
        """Its API, by a token."""
        headers = {"Authorization": f"token {token}"}
        return requests.request(method, f"{self.url}/hub/api{path}", headers=headers, timeout=30)

    def changes(self, name: str, /, **facts: Any) -> None:
        """An administrator does, by the API."""
        headers = {"Authorization": f"token {self.token}"}
        answer = requests.patch(f"{self.url}/hub/api/users/{name}", json=facts, headers=headers, timeout=30)
        assert answer.ok, answer.text

    def token_of(self, name: str) -> str:
        """A token of the user's own, as their lab would hold one."""
        return str(self.asks("POST", f"/users/{name}/tokens", self.token).json()["token"])

    def _answers(self) -> bool:
        try:
            return requests.get(f"{self.url}/hub/health", timeout=2).ok
        except requests.ConnectionError:
            return False


class Visitor(requests.Session):
    """A person's browser at the hub."""

    def __init__(self, hub: HubProcess) -> None:
        super().__init__()
        self.hub = hub
        self.headers["Accept"] = "text/html"

    def sign_in(self) -> requests.Response:
        """By the button."""
        return self.get(f"{self.hub.url}/hub/oauth_login", params={"next": "/hub/home"}, timeout=30)

    def types(self, name: str, password: str) -> requests.Response:
        """Into the form."""
        page = self.get(f"{self.hub.url}/hub/login", params={"next": "/hub/home"}, timeout=30)
        assert page.ok
        form = {"username": name, "password": password, "_xsrf": self.cookies.get("_xsrf", path="/hub/")}
        return self.post(f"{self.hub.url}/hub/login", params={"next": "/hub/home"}, data=form, timeout=60)

    def looks(self, path: str = "/hub/home") -> requests.Response:
        """One page, without following where it sends."""
        return self.get(f"{self.hub.url}{path}", allow_redirects=False, timeout=60)

    def is_in(self) -> bool:
        """Whether the hub shows them their page."""
        return self.looks().status_code == 200
