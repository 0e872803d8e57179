"""node-oidc-provider as a process: an OpenID Connect provider that somebody else wrote."""

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
    """The package beside its driver, as the lock says, and no script of any package run."""
    place = Path(shutil.copytree(PACKAGE, folder / "provider"))
    command = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]
    done = subprocess.run(command, cwd=place, capture_output=True, text=True, timeout=INSTALL_SECONDS, check=False)
    assert done.returncode == 0, done.stderr
    return place / "provider.mjs"


class NodeProvider:
    """Serves between __enter__ and __exit__; its people are whoever `knows` names."""

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
        assert self._reads() == {"ready": True}
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.communicate()
        self._log.close()

    def knows(self, **groups_of: list[str]) -> None:
        """All the people there are, with their groups."""
        self.names(**{name: (name, groups) for name, groups in groups_of.items()})

    def names(self, **people: tuple[str, list[str]]) -> None:
        """All the people there are by what never changes, with the names of now and their groups."""
        facts = {
            number: {"preferred_username": name, "name": name.title(), "email": f"{name}@example.org", "groups": groups}
            for number, (name, groups) in people.items()
        }
        self._tells({"people": facts})

    def lets(self, name: str) -> None:
        """Whoever comes to the sign-in page next is this person."""
        self._tells({"who": name})

    def is_down(self, down: bool) -> None:
        """Stop listening, and begin again with all that it knows."""
        self._tells({"down": down})

    def counted(self, path: str) -> int:
        """How often it was asked there."""
        return int(self._tells({})["counted"].get(path, 0))

    def _tells(self, what: dict[str, Any]) -> dict[str, Any]:
        assert self._process.stdin is not None
        self._process.stdin.write(f"{json.dumps(what)}\n")
        self._process.stdin.flush()
        return self._reads()

    def _reads(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        assert line, Path(self._log.name).read_text()
        return dict(json.loads(line))
