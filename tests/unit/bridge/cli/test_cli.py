"""The `passerelle` command, without the server in it."""

from __future__ import annotations

import re

import pytest
from click.testing import CliRunner, Result

from bridge.cli import main
from bridge.oauth.clients import hash_secret


def run(*arguments: str, typed: str | bytes = "", **environment: str | None) -> Result:
    return CliRunner().invoke(main, arguments, input=typed, env=environment)


@pytest.mark.parametrize("arguments", [["--help"], ["-h"], ["serve", "--help"], ["clients", "--help"]])
def test_help_is_there(arguments: list[str]) -> None:
    result = run(*arguments)
    assert result.exit_code == 0
    assert "Usage: " in result.output


def test_the_help_says_the_least_that_is_needed() -> None:
    for name in ("PASSERELLE_ISSUER", "PASSERELLE_CAS_URL", "PASSERELLE_SECRET_KEY", "PASSERELLE_CONFIG"):
        assert name in run("--help").output


def test_the_version_is_one_line() -> None:
    assert re.fullmatch(r"\S+ \d+\.\d+\.\d+\S*\n", run("--version").output)


def test_serving_without_settings_lists_the_faults_on_standard_error() -> None:
    nothing: dict[str, str | None] = dict.fromkeys(("PASSERELLE_ISSUER", "PASSERELLE_CAS_URL"))
    result = run("serve", **nothing, PASSERELLE_SECRET_KEY="short")
    assert result.exit_code == 1
    assert result.stdout == ""
    for name in ("PASSERELLE_ISSUER", "PASSERELLE_CAS_URL", "PASSERELLE_SECRET_KEY"):
        assert f"  - {name}: " in result.stderr


def test_a_secret_from_standard_input_is_hashed() -> None:
    result = run("clients", "hash", typed="my secret: é\n")
    assert result.exit_code == 0
    assert result.stdout == f'client_secret_hash = "sha256:{hash_secret("my secret: é")}"\n'


def test_a_windows_line_end_is_no_part_of_the_secret() -> None:
    assert run("clients", "hash", typed="s\r\n").stdout == run("clients", "hash", typed="s").stdout


def test_a_generated_secret_is_shown_once_and_fits_its_hash() -> None:
    output = run("clients", "hash", "--generate").stdout
    secret = re.search(r"client_secret .*: (\S+)\n", output)
    assert secret is not None
    assert re.fullmatch(r"[A-Za-z0-9_-]{43}", secret[1])  # row 46: safe in URLs, forms and headers
    assert f'client_secret_hash = "sha256:{hash_secret(secret[1])}"' in output
    assert output != run("clients", "hash", "--generate").stdout


@pytest.mark.parametrize("typed", ["", "\n", "\r\n"])
def test_without_a_secret_it_says_what_to_do(typed: str) -> None:
    result = run("clients", "hash", typed=typed)
    assert result.exit_code == 1
    assert "standard input" in result.stderr
    assert "--generate" in result.stderr


def test_a_secret_that_is_not_utf_8_is_told_in_a_sentence() -> None:
    result = run("clients", "hash", typed=b"\xff\xfe\n")
    assert result.exit_code == 1
    assert result.exception is None or isinstance(result.exception, SystemExit)


@pytest.mark.parametrize("arguments", [["sever"], ["serve", "--port", "1"], ["clients", "hash", "s3cret"]])
def test_a_wrong_command_line_is_told(arguments: list[str]) -> None:
    result = run(*arguments)
    assert result.exit_code == 2
    assert "Usage: " in result.stderr
