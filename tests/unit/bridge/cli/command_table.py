"""One row per `passerelle` command: valid and invalid arguments, and what the command depends on.

A command without a row fails `test_command_errors`. `{kid}` and `{sid}` stand for a removable key and a session.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import click

from tests.support.bridge.command_forks import CommandResult

Path = tuple[str, ...]
"""The names that select a command."""

ADDED = ("Blog", "--redirect-uri", "https://blog.example.org/cb")


@dataclass(frozen=True, kw_only=True)
class Row:
    """Arguments and properties of a command."""

    valid: Sequence[str] = ()
    """Arguments with which it succeeds in a valid installation."""
    invalid: Sequence[Sequence[str]] = ()
    """Arguments rejected by the parser (status 2); an unknown option is added to them."""
    rejected: Sequence[Sequence[str]] = ()
    """Arguments rejected by settings or database (status 1)."""
    reads_settings: bool = True
    reads_database: bool = True
    writes: bool = False
    stdin: str | None = None
    status: int = 0
    """Exit status of a success."""
    errors_on: str = "stderr"
    """Stream that reports faults of settings and database."""
    has_free_arguments: bool = False
    """True if an unknown option is taken as an argument."""
    is_server: bool = False
    """True if it runs until it is stopped."""


UNKNOWN_NAMES: Sequence[Sequence[str]] = [["nobody"], ["\x1b[31m"], ["x" * 300], [""], ["-- "]]
ROWS: Mapping[Path, Row] = {
    ("serve",): Row(invalid=[["now"], ["--port", "1"]], is_server=True),
    # Status 1, because the CAS of the fixture does not respond.
    ("check",): Row(
        valid=["--no-public"],
        invalid=[
            ["now"],
            ["--language", "la"],
            ["--ca-file", "missing.pem"],
            ["--ca-file", "."],
            ["--json", "--message"],
        ],
        status=1,
        errors_on="stdout",
    ),
    ("init",): Row(
        valid=[
            "--yes",
            "--no-check",
            "--folder",
            "new",
            "--issuer",
            "https://a.example",
            "--cas-url",
            "https://c.example",
        ],
        invalid=[
            ["more"],
            ["--yes", "--folder", "new"],
            ["--issuer", "https://a.example", "--folder", "new"],
            ["--issuer", "http://a.example", "--cas-url", "https://c.example", "--folder", "new"],
            ["--issuer", "https://a.example/", "--cas-url", "https://c.example", "--folder", "new"],
            ["--issuer", "https://a.example", "--cas-url", "https://c.example/login", "--folder", "new"],
            ["--issuer", "https://a.example", "--cas-url", "c.example", "--folder", "new"],
            ["--folder", "new", "--proxy-hops", "many"],
            [
                "--folder",
                "new",
                "--issuer",
                "https://a.example",
                "--cas-url",
                "https://c.example",
                "--proxy-hops",
                "-1",
            ],
            ["--folder", "new", "--issuer", "https://a.example", "--cas-url", "https://c.example", "--bind", "80"],
            ["--folder", "new", "--issuer", "https://a.example", "--cas-url", "https://c.example", "--data", "a?b"],
            [
                "--folder",
                "new",
                "--issuer",
                "https://a.example",
                "--cas-url",
                "https://c.example",
                "--data",
                "postgresql://h/d",
            ],
            ["--cas-ca-file", "missing.pem"],
            ["--database-url-file", "missing"],
        ],
        rejected=[
            ["--yes"],  # the settings file exists
            ["--owner", "no-such-user"],
            ["--folder", "passerelle.toml/below", "--issuer", "https://a.example", "--cas-url", "https://c.example"],
            ["--folder", "x" * 300, "--issuer", "https://a.example", "--cas-url", "https://c.example"],
        ],
        reads_settings=False,
        reads_database=False,
        writes=True,
    ),
    ("purge",): Row(invalid=[["all"]], writes=True),
    ("clients", "add"): Row(
        valid=ADDED,
        invalid=[
            [],
            [*ADDED, "more"],
            [*ADDED, "--allowed-attribute", "x"],
            [*ADDED, "--access-token-lifetime", "long"],
            [*ADDED, "--recipe", "nothing"],
            [*ADDED, "--recipe", "missing.toml"],
            [*ADDED, "--recipe", "grafana"],
            [*ADDED, "--recipe", "grafana", "--url", "http://g.example.org"],
            [*ADDED, "--url", "https://g.example.org"],
            ["", *ADDED[1:]],
            [*ADDED, "--id", ""],
            [*ADDED, "--scope", ""],
            [*ADDED, "--allowed-group", ""],
        ],
        rejected=[
            ["Blog"],
            ["Blog", "--redirect-uri", "http://blog.example.org/cb"],
            [*ADDED, "--scope", "every\nthing"],
            [*ADDED, "--id", "wiki"],
            [*ADDED, "--id", "with space"],
            [*ADDED, "--grant-type", "password"],
            [*ADDED, "--public", "--no-pkce"],
            [*ADDED, "--access-token-lifetime", "-1"],
        ],
        writes=True,
    ),
    ("clients", "list"): Row(invalid=[["all"]]),
    ("clients", "show"): Row(valid=["wiki"], invalid=[[]], rejected=UNKNOWN_NAMES[:4]),
    ("clients", "edit"): Row(
        valid=["wiki", "--name", "Wiki two"],
        invalid=[
            [],
            ["wiki"],
            ["wiki", "--clear", "name"],
            ["wiki", "--identity-max-age", "old"],
            ["wiki", "--url", "https://g.example.org"],
            ["wiki", "--recipe", "grafana"],
            ["wiki", "--recipe", "grafana", "--url", ""],
            ["wiki", "--recipe", "command-line"],
            ["wiki", "--recipe", "missing.toml", "--url", "https://g.example.org"],
            ["wiki", "--name", ""],
            ["wiki", "--name", "  "],
            ["wiki", "--scope", ""],
            ["wiki", "--redirect-uri", "https://wiki.example.org/cb", "--redirect-uri", ""],
            ["wiki", "--backchannel-logout-uri", ""],
            ["wiki", "--allowed-group", ""],
            ["wiki", "--access-token-lifetime", ""],
            ["wiki", "--id-token-alg", ""],
            ["wiki", "--clear", ""],
        ],
        rejected=[
            ["nobody", "--name", "x"],
            ["", "--name", "x"],
            ["wiki", "--redirect-uri", "nowhere"],
            ["wiki", "--clear", "redirect-uri"],
            ["nobody", "--recipe", "grafana", "--url", "https://g.example.org"],
        ],
        writes=True,
    ),
    ("clients", "rotate-secret"): Row(
        valid=["wiki"], invalid=[[], ["wiki", "--keep-old", "--drop-old"]], rejected=UNKNOWN_NAMES[:4], writes=True
    ),
    ("clients", "disable"): Row(valid=["wiki"], invalid=[[]], rejected=UNKNOWN_NAMES[:4], writes=True),
    ("clients", "enable"): Row(valid=["wiki"], invalid=[[]], rejected=UNKNOWN_NAMES[:4], writes=True),
    ("clients", "remove"): Row(
        valid=["wiki", "--yes"], invalid=[[]], rejected=[*([*name, "--yes"] for name in UNKNOWN_NAMES[:4])], writes=True
    ),
    ("clients", "hash"): Row(invalid=[["s3cret"]], stdin="a secret\n", reads_settings=False, reads_database=False),
    ("clients", "recipes"): Row(
        valid=["grafana"],
        invalid=[["grafana", "more"]],
        rejected=[["nothing"], ["missing.toml"], ["."], ["./"], ["passerelle.toml"], ["x" * 300], ["\x1b[31m"]],
        reads_settings=False,
        reads_database=False,
    ),
    ("clients", "apply"): Row(
        valid=["-", "--yes"],
        invalid=[[], ["-"], ["-", "--yes", "more"], ["clients.toml", "--json"], ["-", "--json"], ["", "--yes"]],
        rejected=[
            ["missing.toml", "--yes"],
            [".", "--yes"],
            ["passerelle.sqlite3", "--yes"],
            ["passerelle.toml", "--yes"],
            ["x" * 300, "--yes"],
        ],
        stdin='[[clients]]\nclient_id = "blog"\nredirect_uris = ["https://blog.example.org/cb"]\n',
        writes=True,
    ),
    ("clients", "export"): Row(invalid=[["all"]]),
    ("keys", "list"): Row(invalid=[["all"]]),
    ("keys", "rotate"): Row(
        valid=["--now"], invalid=[["all"], ["--algorithm", "HS256"]], rejected=[["--algorithm", "RS256"]], writes=True
    ),
    ("keys", "remove"): Row(
        valid=["{kid}"],
        invalid=[[]],
        rejected=[*UNKNOWN_NAMES[:4], ["--no-such-option"], ["-e1"]],
        writes=True,
        has_free_arguments=True,
    ),
    ("sessions", "list"): Row(invalid=[["all"]]),
    ("sessions", "subjects"): Row(valid=["alice"], invalid=[[], ["alice", "bob"]]),
    ("sessions", "end"): Row(
        valid=["{sid}"],
        invalid=[[], ["{sid}", "--subject", "alice"], ["{sid}", "--all-access"]],
        rejected=[*UNKNOWN_NAMES[:3], ["--subject", "nobody"], ["--no-such-option"]],
        writes=True,
        has_free_arguments=True,
    ),
    ("logout-deliveries", "list"): Row(invalid=[["all"]]),
    ("claims", "try"): Row(
        valid=["--attributes", "-", "--client", "wiki"],
        invalid=[[], ["--attributes", "missing.json"], ["--attributes", "."], ["--attributes", "-", "more"]],
        rejected=[
            ["--attributes", "passerelle.toml"],
            ["--attributes", "passerelle.sqlite3", "--xml"],
            ["--attributes", "-", "--client", "nobody"],
            ["--attributes", "-", "--client", "wiki", "--scope", "everything"],
        ],
        stdin='{"user": "alice", "attributes": {"memberOf": ["a"]}}',
    ),
    # The hub's own command runs in a container, which tests/e2e covers. There is no docker command here.
    ("hub",): Row(
        has_free_arguments=True,
        invalid=[[]],
        rejected=[["users"], ["upgrade"], ["backup", "/nowhere"]],
        reads_settings=False,
        reads_database=False,
    ),
}


def commands(group: click.Group, path: Path = ()) -> Iterator[tuple[Path, click.Command]]:
    """Yield every command and group below a group."""
    for name, command in group.commands.items():
        yield (*path, name), command
        if isinstance(command, click.Group):
            yield from commands(command, (*path, name))


# Commands that end by themselves and need no container.
ONE_SHOT = {path: row for path, row in ROWS.items() if not row.is_server and path != ("hub",)}
STDERR_MAX_CHARS = 1500


def row_id(value: object) -> str:
    """Return a short test id."""
    return " ".join(map(ascii, value))[:60] if isinstance(value, list | tuple) else str(value)


def assert_reports(result: CommandResult, row: Row, text: str = "") -> None:
    """Assert that a command failed with a short message that contains a text, without a traceback."""
    message = result.stdout if row.errors_on == "stdout" and not result.stderr else result.stderr
    assert result.status > 0, (result.status, message)
    assert "Traceback" not in result.stdout + result.stderr, result.stderr
    assert "Exception" not in result.stderr, result.stderr
    assert message.strip(), "there is no message"
    assert len(result.stderr) < STDERR_MAX_CHARS, result.stderr
    assert text in message, message
