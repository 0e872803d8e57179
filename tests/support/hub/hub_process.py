"""The hub with its own configuration as a process, without proxy and labs, for tests of authentication."""

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
SETTING_PREFIXES = ("AUTH_", "HUB_")


class HubProcess:
    """Serves between __enter__ and __exit__, and revalidates users after one second."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.token = secrets.token_hex(32)
        self.log_file = folder / "hub.log"
        self.conf = folder / "conf.d"
        self.conf.mkdir()
        self.add_config("10-age.py", "c.Authenticator.auth_refresh_age = 1\n")
        self.environment: dict[str, str] = {}
        self.process: subprocess.Popen[bytes] | None = None

    def add_config(self, name: str, text: str) -> None:
        """Write a file of the site's own configuration."""
        (self.conf / name).write_text(text, encoding="utf-8")

    def write_secret(self, name: str, value: str) -> str:
        """Write a secret to a file and return its path."""
        path = self.folder / name
        path.write_text(f"{value}\n", encoding="utf-8")
        return str(path)

    def with_environment(self, settings: Mapping[str, str]) -> Self:
        """Set the environment variables of the hub."""
        kept = {name: value for name, value in clean_environment().items() if not name.startswith(SETTING_PREFIXES)}
        self.environment = kept | {
            "HUB_PUBLIC_URL": self.url,
            "HUB_BIND_URL": self.url,
            "HUB_API_CONNECT_URL": self.url,
            "HUB_DATA_DIR": str(self.folder),
            "HUB_CONF_DIR": str(self.conf),
            "HUB_CRYPT_KEY_FILE": self.write_secret("crypt-key", "0f" * 32),
            "HUB_TEST_TOKEN": self.token,
            "AUTH_PUBLIC_URL": "https://auth.example.org",
            "AUTH_INTERNAL_URL": "http://127.0.0.1:9",
            "OAUTH_CLIENT_ID": "jupyterhub",
            "OAUTH_CLIENT_SECRET_FILE": self.write_secret("client-secret", "unused"),
            "TRAEFIK_DYNAMIC_FILE": str(self.folder / "routes.toml"),
            "TRAEFIK_API_URL": "http://127.0.0.1:9",
            "TRAEFIK_API_PASSWORD_FILE": self.write_secret("api-password", "unused"),
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
        # Labs outlive their hub by design; those of hub_labs.py left their process ids here.
        for mark in self.folder.glob("*.lab"):
            with contextlib.suppress(psutil.NoSuchProcess):
                lab = psutil.Process(int(mark.stem))
                if str(self.folder) in " ".join(lab.cmdline()):
                    lab.terminate()

    def start(self) -> None:
        """Start the hub and return when it responds."""
        with self.log_file.open("a") as log:
            command = [sys.executable, "-m", "jupyterhub", f"--config={CONFIG}"]
            self.process = subprocess.Popen(
                command, cwd=self.folder, env=self.environment, stdout=log, stderr=subprocess.STDOUT
            )
        deadline = time.monotonic() + READY_WITHIN_SECONDS
        while not self._answers():
            assert self.process.poll() is None, self.log
            assert time.monotonic() < deadline, self.log
            time.sleep(0.1)

    def stop(self) -> None:
        if self.process is not None:
            self.process.terminate()
            self.process.wait(20)
            self.process = None

    def start_error(self) -> str:
        """Start the hub, which must fail, and return its standard error."""
        command = [sys.executable, "-m", "jupyterhub", f"--config={CONFIG}"]
        done = subprocess.run(
            command, cwd=self.folder, env=self.environment, capture_output=True, text=True, timeout=60, check=False
        )
        assert done.returncode == 1, done.stdout + done.stderr
        return done.stderr

    @property
    def log(self) -> str:
        """Return the hub's log."""
        return self.log_file.read_text(encoding="utf-8")

    def user(self, name: str) -> dict[str, Any]:
        """Return the hub's model of a user, or the error response."""
        return dict(self.request("GET", f"/users/{name}", self.token).json())

    def request(self, method: str, path: str, token: str) -> requests.Response:
        """Send a request to the hub's API with a token."""
        headers = {"Authorization": f"token {token}"}
        return requests.request(method, f"{self.url}/hub/api{path}", headers=headers, timeout=30)

    def update_user(self, name: str, /, **changes: Any) -> None:
        """Change a user through the API, as an administrator."""
        headers = {"Authorization": f"token {self.token}"}
        answer = requests.patch(f"{self.url}/hub/api/users/{name}", json=changes, headers=headers, timeout=30)
        assert answer.ok, answer.text

    def create_token(self, name: str) -> str:
        """Create an API token for a user."""
        return str(self.request("POST", f"/users/{name}/tokens", self.token).json()["token"])

    def _answers(self) -> bool:
        try:
            return requests.get(f"{self.url}/hub/health", timeout=2).ok
        except requests.ConnectionError:
            return False


class Visitor(requests.Session):
    """A user's browser at the hub."""

    def __init__(self, hub: HubProcess) -> None:
        super().__init__()
        self.hub = hub
        self.headers["Accept"] = "text/html"

    def sign_in(self) -> requests.Response:
        """Sign in with the button."""
        return self.get(f"{self.hub.url}/hub/oauth_login", params={"next": "/hub/home"}, timeout=30)

    def submit_password(self, name: str, password: str) -> requests.Response:
        """Sign in with the password form."""
        page = self.get(f"{self.hub.url}/hub/login", params={"next": "/hub/home"}, timeout=30)
        assert page.ok
        form = {"username": name, "password": password, "_xsrf": self.cookies.get("_xsrf", path="/hub/")}
        return self.post(f"{self.hub.url}/hub/login", params={"next": "/hub/home"}, data=form, timeout=60)

    def open_page(self, path: str = "/hub/home") -> requests.Response:
        """Open a page without following redirects."""
        return self.get(f"{self.hub.url}{path}", allow_redirects=False, timeout=60)

    def is_signed_in(self) -> bool:
        """Return whether the hub shows the user's home page."""
        return self.open_page().status_code == 200
