"""node-oidc-provider as a process: an independent OpenID Connect provider."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any, Self

from tests.support.bridge.live_bridge import free_port

PACKAGE = Path(__file__).parents[2] / "interop" / "provider"
INSTALL_SECONDS = 120
GITLAB_ROUTES = {
    "authorization": "/oauth/authorize",
    "token": "/oauth/token",
    "userinfo": "/oauth/userinfo",
}


def install(folder: Path) -> Path:
    """Install the locked package with its driver, without running package scripts."""
    place = Path(shutil.copytree(PACKAGE, folder / "provider"))
    command = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]
    done = subprocess.run(command, cwd=place, capture_output=True, text=True, timeout=INSTALL_SECONDS, check=False)
    assert done.returncode == 0, done.stderr
    return place / "provider.mjs"


class NodeProvider:
    """Serves between __enter__ and __exit__; `set_groups` defines its users."""

    CLIENT_ID, CLIENT_SECRET = "the-hub", "a secret of the hub, long enough"

    def __init__(
        self,
        script: Path,
        *,
        hub_url: str,
        routes: dict[str, str] | None = None,
        access_token_seconds: int = 3600,
        refresh_tokens: bool = True,
    ) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        settings = {
            "issuer": self.url,
            "port": self.port,
            "routes": routes or {},
            "access_token_seconds": access_token_seconds,
            "refresh_tokens": refresh_tokens,
            "client": {
                "client_id": self.CLIENT_ID,
                "client_secret": self.CLIENT_SECRET,
                "redirect_uris": [f"{hub_url}/hub/oauth_callback"],
                "post_logout_redirect_uris": [f"{hub_url}/hub/login"],
                "backchannel_logout_uri": f"{hub_url}/hub/backchannel_logout",
                "backchannel_logout_session_required": True,
                "grant_types": ["authorization_code", "refresh_token"],
                **({"token_endpoint_auth_method": "client_secret_post"} if routes else {}),
            },
        }
        self._environment = {"PATH": os.environ["PATH"], "PROVIDER": json.dumps(settings)}
        self._script = script

    def __enter__(self) -> Self:
        self._log = self._script.with_name(f"{self.port}.log").open("w")
        self._process = subprocess.Popen(
            ["node", self._script],
            env=self._environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            text=True,
        )
        assert self._read() == {"ready": True}
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.communicate()
        self._log.close()

    def set_groups(self, **groups: list[str]) -> None:
        """Replace all users by these names with their groups."""
        self.set_accounts(**{name: (name, of_name) for name, of_name in groups.items()})

    def set_accounts(self, **people: tuple[str, list[str]]) -> None:
        """Replace all users by these permanent ids with their current names and groups."""
        facts = {
            number: {"preferred_username": name, "name": name.title(), "email": f"{name}@example.org", "groups": groups}
            for number, (name, groups) in people.items()
        }
        self._send({"people": facts})

    def select_user(self, name: str) -> None:
        """Select the user of the next sign-in."""
        self._send({"who": name})

    def set_down(self, down: bool) -> None:
        """Stop listening, or resume with the same state."""
        self._send({"down": down})

    def request_count(self, path: str) -> int:
        """Return the number of requests to a path."""
        return int(self._send({})["counted"].get(path, 0))

    def _send(self, what: dict[str, Any]) -> dict[str, Any]:
        assert self._process.stdin is not None
        self._process.stdin.write(f"{json.dumps(what)}\n")
        self._process.stdin.flush()
        return self._read()

    def _read(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        assert line, Path(self._log.name).read_text()
        return dict(json.loads(line))
