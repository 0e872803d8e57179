"""One row for each command of `passerelle`: words that are right, words that are wrong, and what it depends on.

`test_bad_input` walks the commands as they are: one without a row here fails it. `{kid}` and `{sid}` stand for a
key that may be removed and a session that may be ended.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import click

from tests.support.bridge.command_forks import Ended

Path = tuple[str, ...]
"""The words that lead to a command."""

ADDED = ("Blog", "--redirect-uri", "https://blog.example.org/cb")


@dataclass(frozen=True, kw_only=True)
class Row:
    """What a command is like."""

    right: Sequence[str] = ()
    """Arguments with which it does its work in the sound folder."""
    wrong: Sequence[Sequence[str]] = ()
    """Arguments with which it does not begin (status 2); an option that nobody knows is tried besides."""
    refused: Sequence[Sequence[str]] = ()
    """Arguments that only the settings or the database can tell to be wrong (status 1)."""
    reads_settings: bool = True
    reads_database: bool = True
    writes: bool = False
    """Whether it changes the database."""
    typed: str | None = None
    """What it reads from standard input."""
    status: int = 0
    """When all is well."""
    tells_on: str = "stderr"
    """Where it says what is wrong with settings and database."""
    takes_options_for_names: bool = False
    """Whether what looks like an option may be the name of something."""
    runs_on: bool = False
    """Whether it goes on until it is stopped."""


NONE_SUCH: Sequence[Sequence[str]] = [["nobody"], ["\x1b[31m"], ["x" * 300], [""], ["-- "]]
ROWS: Mapping[Path, Row] = {
    ("serve",): Row(wrong=[["now"], ["--port", "1"]], runs_on=True),
    # With a CAS that does not answer there is a FAULT, which is its answer.
    ("check",): Row(
        right=["--no-public"],
        wrong=[
            ["now"],
            ["--language", "la"],
            ["--ca-file", "missing.pem"],
            ["--ca-file", "."],
            ["--json", "--message"],
        ],
        status=1,
        tells_on="stdout",
    ),
    ("init",): Row(
        right=[
            "--yes",
            "--no-check",
            "--folder",
            "new",
            "--issuer",
            "https://a.example",
            "--cas-url",
            "https://c.example",
        ],
        wrong=[
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
        refused=[
            ["--yes"],  # where there is a settings file already
            ["--owner", "nobody-of-that-name"],
            ["--folder", "passerelle.toml/below", "--issuer", "https://a.example", "--cas-url", "https://c.example"],
            ["--folder", "x" * 300, "--issuer", "https://a.example", "--cas-url", "https://c.example"],
        ],
        reads_settings=False,
        reads_database=False,
        writes=True,
    ),
    ("purge",): Row(wrong=[["all"]], writes=True),
    ("clients", "add"): Row(
        right=ADDED,
        wrong=[
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
        refused=[
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
    ("clients", "list"): Row(wrong=[["all"]]),
    ("clients", "show"): Row(right=["wiki"], wrong=[[]], refused=NONE_SUCH[:4]),
    ("clients", "edit"): Row(
        right=["wiki", "--name", "Wiki two"],
        wrong=[
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
        refused=[
            ["nobody", "--name", "x"],
            ["", "--name", "x"],
            ["wiki", "--redirect-uri", "nowhere"],
            ["wiki", "--clear", "redirect-uri"],
            ["nobody", "--recipe", "grafana", "--url", "https://g.example.org"],
        ],
        writes=True,
    ),
    ("clients", "rotate-secret"): Row(
        right=["wiki"], wrong=[[], ["wiki", "--keep-old", "--drop-old"]], refused=NONE_SUCH[:4], writes=True
    ),
    ("clients", "disable"): Row(right=["wiki"], wrong=[[]], refused=NONE_SUCH[:4], writes=True),
    ("clients", "enable"): Row(right=["wiki"], wrong=[[]], refused=NONE_SUCH[:4], writes=True),
    # Without --yes it asks, and nobody answers.
    ("clients", "remove"): Row(
        right=["wiki", "--yes"], wrong=[[]], refused=[*([*name, "--yes"] for name in NONE_SUCH[:4])], writes=True
    ),
    ("clients", "hash"): Row(wrong=[["s3cret"]], typed="a secret\n", reads_settings=False, reads_database=False),
    ("clients", "recipes"): Row(
        right=["grafana"],
        wrong=[["grafana", "more"]],
        refused=[["nothing"], ["missing.toml"], ["."], ["./"], ["passerelle.toml"], ["x" * 300], ["\x1b[31m"]],
        reads_settings=False,
        reads_database=False,
    ),
    ("clients", "apply"): Row(
        right=["-", "--yes"],
        wrong=[[], ["-"], ["-", "--yes", "more"], ["clients.toml", "--json"], ["-", "--json"], ["", "--yes"]],
        refused=[
            ["missing.toml", "--yes"],
            [".", "--yes"],
            ["passerelle.sqlite3", "--yes"],
            ["passerelle.toml", "--yes"],
            ["x" * 300, "--yes"],
        ],
        typed='[[clients]]\nclient_id = "blog"\nredirect_uris = ["https://blog.example.org/cb"]\n',
        writes=True,
    ),
    ("clients", "export"): Row(wrong=[["all"]]),
    ("keys", "list"): Row(wrong=[["all"]]),
    ("keys", "rotate"): Row(
        right=["--now"], wrong=[["all"], ["--algorithm", "HS256"]], refused=[["--algorithm", "RS256"]], writes=True
    ),
    ("keys", "remove"): Row(
        right=["{kid}"],
        wrong=[[]],
        refused=[*NONE_SUCH[:4], ["--no-such-option"], ["-e1"]],
        writes=True,
        takes_options_for_names=True,
    ),
    ("sessions", "list"): Row(wrong=[["all"]]),
    ("sessions", "subjects"): Row(right=["alice"], wrong=[[], ["alice", "bob"]]),
    ("sessions", "end"): Row(
        right=["{sid}"],
        wrong=[[], ["{sid}", "--subject", "alice"], ["{sid}", "--all-access"]],
        refused=[*NONE_SUCH[:3], ["--subject", "nobody"], ["--no-such-option"]],
        writes=True,
        takes_options_for_names=True,
    ),
    ("sessions", "deliveries"): Row(wrong=[["all"]]),
    ("claims", "try"): Row(
        right=["--attributes", "-", "--client", "wiki"],
        wrong=[[], ["--attributes", "missing.json"], ["--attributes", "."], ["--attributes", "-", "more"]],
        refused=[
            ["--attributes", "passerelle.toml"],
            ["--attributes", "passerelle.sqlite3", "--xml"],
            ["--attributes", "-", "--client", "nobody"],
            ["--attributes", "-", "--client", "wiki", "--scope", "everything"],
        ],
        typed='{"user": "alice", "attributes": {"memberOf": ["a"]}}',
    ),
    # Its words are for the hub's own command, in a container; tests/e2e runs them there, and here is no docker command.
    ("hub",): Row(
        takes_options_for_names=True,
        refused=[[], ["users"], ["upgrade"], ["backup", "/nowhere"]],
        reads_settings=False,
        reads_database=False,
    ),
}


def commands(group: click.Group, path: Path = ()) -> Iterator[tuple[Path, click.Command]]:
    """Every command below, groups as well."""
    for name, command in group.commands.items():
        yield (*path, name), command
        if isinstance(command, click.Group):
            yield from commands(command, (*path, name))


# Those that end by themselves, and need no container.
ENDING = {path: row for path, row in ROWS.items() if not row.runs_on and path != ("hub",)}
LONGEST_CHARS = 1500


def named(value: object) -> str:
    """A test's name says with which words, as far as they fit."""
    return " ".join(map(ascii, value))[:60] if isinstance(value, list | tuple) else str(value)


def assert_told(ended: Ended, row: Row, *, says: str = "") -> None:
    told = ended.stdout if row.tells_on == "stdout" and not ended.stderr else ended.stderr
    assert ended.status > 0, (ended.status, told)
    assert "Traceback" not in ended.stdout + ended.stderr, ended.stderr
    assert "Exception" not in ended.stderr, ended.stderr
    assert told.strip(), "it says nothing"
    assert len(ended.stderr) < LONGEST_CHARS, ended.stderr
    assert says in told, told
