"""Documented commands exist: subcommands, options, services and targets."""

from __future__ import annotations

from pathlib import Path

import pytest
from markdown_it import MarkdownIt

from tests.support.bridge.known_commands import ROOT, command_fault, services_in
from tests.support.documented_commands import commands_of, simple_commands

PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *ROOT.glob("lab/*.md"), *ROOT.glob("hub/*/*.md")])


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_documented_commands_exist(page: Path) -> None:
    own = {name for text in blocks(page, "yaml") for name in services_in(text)}
    faults = {str(command): command_fault(command.words, own) for command in commands_of(page)}

    assert {command: fault for command, fault in faults.items() if fault} == {}


def test_pages_have_commands() -> None:
    words = [command.words for page in PAGES for command in commands_of(page)]

    assert len(words) > 150
    for beginning in ("passerelle",), ("docker", "compose"), ("make",), (".venv/bin/passerelle",):
        assert any(some[: len(beginning)] == beginning for some in words), beginning


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        ("passerelle clinets add Wiki", "passerelle has no clinets"),
        ("passerelle clients ad Wiki", "passerelle clients has no ad"),
        ("passerelle clients add Wiki --redirect https://x", "No such option"),
        ("passerelle clients add", "wants NAME"),
        ("passerelle clients show wiki-1f wiki-2a", "does not take wiki-2a"),
        ("passerelle clients add Wiki --id-token-alg HS256", "'HS256' is not one of"),
        ("passerelle clients add Wiki --access-token-lifetime long", "'long' is not a valid integer"),
        ("PASSERELLE_CONFIG=x .venv/bin/passerelle chek", "passerelle has no chek"),
        ("passerelle hub backups", "passerelle hub has no backups"),
        ("cat x | passerelle claims try --atributes -", "No such option"),
        ("true && passerelle keys rotate --later", "No such option"),
        ("passerelle keys list > keys.json; passerelle keys lst", "passerelle keys has no lst"),
        ("docker compose exec brigde passerelle check", "no service brigde"),
        ("docker compose exec bridge passerelle chek", "passerelle has no chek"),
        ("docker compose run --rm -e A=b bridge passerelle check --mesage", "No such option"),
        ("docker compose --profile moon up -d", "no profile moon"),
        ("docker compose -p hub logs bridge hbu", "no service hbu"),
        ("docker compose -f compose.pan.yml up", "no compose.pan.yml"),
        ("docker compose upp", "docker compose upp"),
        ("docker run --rm passerelle-bridge passerelle chek", "passerelle has no chek"),
        ("make dcos", "no target dcos"),
        ("python -m bridge.nothing", "no module bridge.nothing"),
    ],
)
def test_wrong_documented_command_is_found(line: str, fault: str) -> None:
    told = [found for words in simple_commands(line) if (found := command_fault(words))]

    assert len(told) == 1
    assert fault in told[0]


@pytest.mark.parametrize(
    "line",
    [
        "passerelle",
        "passerelle -h",
        "passerelle --version",
        "passerelle clients add --help",
        "passerelle clients add NAME --id-token-alg ALG",
        "passerelle clients …",
        "passerelle clients add …",
        "passerelle claims try --attributes ./not/there.json 2> faults.txt  # a comment",
        'passerelle clients add "My CLI" \\\n  --public --redirect-uri http://127.0.0.1/callback',
        "docker compose --profile=monitoring up -d --wait",
        "docker compose exec -T -u 0 bridge passerelle check < /dev/null",
        "docker compose run --rm bridge",
        "cat > passerelle.toml <<'END'\npasserelle nonsense\nEND",
        "make migration m='what changes'",
    ],
)
def test_right_documented_command_is_accepted(line: str) -> None:
    assert [found for words in simple_commands(line) if (found := command_fault(words))] == []


def blocks(page: Path, language: str) -> list[str]:
    """Return the fenced code blocks in a language."""
    tokens = MarkdownIt().parse(page.read_text(encoding="utf-8"))
    return [token.content for token in tokens if token.type == "fence" and token.info.partition(" ")[0] == language]
