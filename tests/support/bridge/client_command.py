"""`passerelle clients` run in this process, with its own database."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from bridge.cli import main
from bridge.store import Store

REDIRECT = ["--redirect-uri", "https://wiki.example.org/cb"]
CHANGES = [
    ["edit", "CLIENT", "--name", "x"],
    ["rotate-secret", "CLIENT"],
    ["disable", "CLIENT"],
    ["enable", "CLIENT"],
    ["remove", "CLIENT", "--yes"],
]
FIXED = [{"client_id": "hub", "client_secret": "hub-s3cret", "redirect_uris": ["https://hub.example.org/cb"]}]


class ClientCommand:
    """Runner for `passerelle clients`."""

    def __init__(self, database: Path) -> None:
        self.database = database
        self.environment = {
            "PASSERELLE_ISSUER": "https://auth.example.org",
            "PASSERELLE_CAS_URL": "https://sso.example.org/cas",
            "PASSERELLE_SECRET_KEY": "a secret key of 32 characters...",
            "PASSERELLE_DATABASE_URL": f"sqlite:///{database}",
            "PASSERELLE_CLIENTS": json.dumps(FIXED),
        }

    def run(self, *words: str, typed: str = "", **settings: str) -> Result:
        overrides = {f"PASSERELLE_{name.upper()}": settings[name] for name in settings}
        return CliRunner().invoke(main, ["clients", *words], input=typed, env={**self.environment, **overrides})

    def output(self, *words: str) -> str:
        """Run a command that succeeds and return its standard output."""
        result = self.run(*words)
        assert result.exit_code == 0, result.output
        return result.stdout

    def error(self, *words: str, status: int = 1, **settings: str) -> str:
        """Run a command that fails without a traceback or output, and return its standard error."""
        result = self.run(*words, **settings)
        assert isinstance(result.exception, SystemExit), result.exception
        assert (result.exit_code, result.stdout) == (status, "")
        assert "Error: " in result.stderr
        return result.stderr

    def add(self, *words: str) -> dict[str, Any]:
        return dict(json.loads(self.output("add", *words, "--json")))

    def show(self, client_id: str) -> dict[str, Any]:
        return dict(json.loads(self.output("show", client_id, "--json")))

    def store(self) -> Store:
        return Store(f"sqlite:///{self.database}")


@pytest.fixture
def command(tmp_path: Path, sqlite_template: Path, monkeypatch: pytest.MonkeyPatch) -> ClientCommand:
    """A runner with a copy of the empty database."""
    monkeypatch.delenv("PASSERELLE_CONFIG", raising=False)
    return ClientCommand(Path(shutil.copy(sqlite_template, tmp_path / "bridge.sqlite3")))
