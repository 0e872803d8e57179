"""The `passerelle` command without a running server."""

from __future__ import annotations

import re

import pytest
from click.testing import CliRunner, Result

from bridge.cli import main
from bridge.oauth.clients import hash_secret


def run(*arguments: str, typed: str | bytes = "", **environment: str | None) -> Result:
    return CliRunner().invoke(main, arguments, input=typed, env=environment)


@pytest.mark.parametrize("arguments", [["--help"], ["-h"], ["serve", "--help"], ["clients", "--help"]])
def test_help(arguments: list[str]) -> None:
    result = run(*arguments)
    assert result.exit_code == 0
    assert "Usage: " in result.output


def test_help_shows_minimum_configuration() -> None:
    for name in ("PASSERELLE_ISSUER", "PASSERELLE_CAS_URL", "PASSERELLE_SECRET_KEY", "PASSERELLE_CONFIG"):
        assert name in run("--help").output


def test_version_is_one_line() -> None:
    assert re.fullmatch(r"\S+ \d+\.\d+\.\d+\S*\n", run("--version").output)


def test_serve_without_settings_lists_faults_on_stderr() -> None:
    nothing: dict[str, str | None] = dict.fromkeys(("PASSERELLE_ISSUER", "PASSERELLE_CAS_URL"))
    result = run("serve", **nothing, PASSERELLE_SECRET_KEY="short")
    assert result.exit_code == 1
    assert result.stdout == ""
    for name in ("PASSERELLE_ISSUER", "PASSERELLE_CAS_URL", "PASSERELLE_SECRET_KEY"):
        assert f"  - {name}: " in result.stderr


def test_hash_reads_secret_from_stdin() -> None:
    result = run("clients", "hash", typed="my secret: é\n")
    assert result.exit_code == 0
    assert result.stdout == f'client_secret_hash = "sha256:{hash_secret("my secret: é")}"\n'


def test_hash_strips_windows_line_end() -> None:
    assert run("clients", "hash", typed="s\r\n").stdout == run("clients", "hash", typed="s").stdout


def test_generated_secret_is_shown_once_and_matches_hash() -> None:
    output = run("clients", "hash", "--generate").stdout
    secret = re.search(r"client_secret .*: (\S+)\n", output)
    assert secret is not None
    assert re.fullmatch(r"[A-Za-z0-9_-]{43}", secret[1])  # row 46: safe in URLs, forms and headers
    assert f'client_secret_hash = "sha256:{hash_secret(secret[1])}"' in output
    assert output != run("clients", "hash", "--generate").stdout


@pytest.mark.parametrize("typed", ["", "\n", "\r\n"])
def test_hash_without_secret_shows_usage(typed: str) -> None:
    result = run("clients", "hash", typed=typed)
    assert result.exit_code == 1
    assert "standard input" in result.stderr
    assert "--generate" in result.stderr


def test_secret_that_is_not_utf8_is_rejected() -> None:
    result = run("clients", "hash", typed=b"\xff\xfe\n")
    assert result.exit_code == 1
    assert result.exception is None or isinstance(result.exception, SystemExit)


@pytest.mark.parametrize("arguments", [["sever"], ["serve", "--port", "1"], ["clients", "hash", "s3cret"]])
def test_unknown_command_is_reported(arguments: list[str]) -> None:
    result = run(*arguments)
    assert result.exit_code == 2
    assert "Usage: " in result.stderr
