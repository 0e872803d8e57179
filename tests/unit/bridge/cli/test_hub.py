"""`passerelle hub` on the host: what it asks of Docker, recorded by a program of that name."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from bridge.cli.hub import hub

CONFIG = {
    "name": "site",
    "services": {"administration": {"networks": {"edge": None}, "volumes": [{"type": "volume", "source": "hub-data"}]}},
    "networks": {"edge": {"name": "site_edge"}},
    "volumes": {"hub-data": {"name": "site_hub-data"}},
}
EXISTING = ("site-hub", "site_edge", "site_hub-data")
FAKE_DOCKER = """#!/bin/sh
echo "$*" >> "{log}"
case "$*" in
  "compose config"*) cat "{config}" ;;
  *inspect*) grep -qx "$3" "{existing}" ;;
esac
"""
Run = Callable[..., tuple[Result, list[str]]]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Return a function that runs a command and returns it with the calls of Docker that are no queries."""
    log, config, existing = tmp_path / "log", tmp_path / "config", tmp_path / "existing"
    config.write_text(json.dumps(CONFIG))
    (tmp_path / "compose.yml").touch()
    docker = tmp_path / "docker"
    docker.write_text(FAKE_DOCKER.format(log=log, config=config, existing=existing))
    docker.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    monkeypatch.setenv("PASSERELLE_FOLDER", str(tmp_path))

    def run(*arguments: str, exist: tuple[str, ...] = ()) -> tuple[Result, list[str]]:
        existing.write_text("".join(f"{name}\n" for name in exist))
        log.write_text("")
        result = CliRunner().invoke(hub, arguments, prog_name="passerelle hub")
        calls = [call for call in log.read_text().splitlines() if "inspect" not in call and " config " not in call]
        return result, calls

    return run


@pytest.mark.parametrize("words", [["--help"], ["-h"], ["backup", "--help"], ["upgrade", "-h"]])
def test_help_without_image_creates_nothing(run: Run, words: list[str]) -> None:
    result, calls = run(*words)
    assert (result.exit_code, calls) == (0, [])
    assert "backup, restore, users, offboard, upgrade" in result.output


def test_help_of_image_needs_no_deployment(run: Run) -> None:
    result, calls = run("backup", "--help", exist=("site-hub",))
    assert result.exit_code == 0
    assert calls == ["run --rm --network none --entrypoint passerelle site-hub hub backup --help"]


@pytest.mark.parametrize("words", [["bakup"], ["--yes"], ["upgrade", "--now"], ["upgrade", "--dry-run", "--now"]])
def test_usage_error_creates_nothing(run: Run, words: list[str]) -> None:
    result, calls = run(*words, exist=EXISTING)
    assert (result.exit_code, calls) == (2, [])


@pytest.mark.parametrize("words", [["backup", "/x"], ["restore", "/x"], ["offboard", "bob"], ["upgrade"]])
def test_dry_run_without_deployment_creates_nothing(run: Run, words: list[str]) -> None:
    result, calls = run(*words, "--dry-run")
    assert (result.exit_code, calls) == (1, [])


@pytest.mark.parametrize("missing", EXISTING)
def test_dry_run_names_what_it_would_create(run: Run, missing: str) -> None:
    result, calls = run("backup", "/x", "--dry-run", exist=tuple(set(EXISTING) - {missing}))
    assert (result.exit_code, calls) == (1, [])
    assert missing in result.output


def test_dry_run_of_deployment_runs_beside_the_hub(run: Run) -> None:
    _, calls = run("users", "--dry-run", exist=EXISTING)
    assert calls == ["compose run --rm --no-deps -T administration passerelle hub users --dry-run"]
