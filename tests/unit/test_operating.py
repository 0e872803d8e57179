"""What docs/operating.md promises: each command on it is run by a test, and each page that it links to is there."""

import re
from pathlib import Path

import pytest

from docs.generate_conformance import collected

PAGE = Path(__file__).parents[2] / "docs" / "operating.md"
TEXT = PAGE.read_text(encoding="utf-8")
# A new command has to be added here, and to a test that runs it.
RUN_BY = {
    "docker compose up -d --build --wait": "e2e/test_compose.py::test_one_command_brings_up_every_service_healthy",
    "docker compose run --rm bridge passerelle check --no-public": "e2e/test_compose.py",
    "docker compose run --rm bridge passerelle check --message": "e2e/test_compose.py",
    "docker compose exec bridge passerelle check": "e2e/test_compose.py",
    "docker compose logs prepare bridge hub": "e2e/test_compose.py",
    "docker compose up -d": "e2e/test_bundle_lifecycle.py",
    "passerelle hub backup /srv/backup/$(date +%F)": "e2e/test_bundle_operations.py",
    "passerelle hub users": "e2e/test_bundle_operations.py",
    "passerelle hub offboard --purge-expired": "e2e/test_bundle_operations.py",
    "passerelle hub offboard bob --dry-run": "e2e/test_bundle_operations.py",
    "passerelle hub upgrade --dry-run": "e2e/test_bundle_operations.py",
    "passerelle hub upgrade": "e2e/test_bundle_operations.py",
    "docker compose run --rm --no-deps hub passerelle hub": "e2e/test_bundle_operations.py",
    "docker compose logs hub": "e2e/test_compose.py",
    "docker compose logs bridge": "e2e/test_compose.py",
    "docker compose -p hub-labs down": "e2e/test_compose.py::test_all_labs_stop_by_the_documented_command",
    "docker compose down": "e2e/test_compose.py",
}


def commands() -> set[str]:
    """Of shell blocks and of sentences; `…` stands for what the sentence says."""
    blocks = re.findall(r"^ *```sh\n(.*?)^ *```", TEXT, flags=re.MULTILINE | re.DOTALL)
    lines = [line.strip() for block in blocks for line in block.splitlines()]
    inline = re.findall(r"`([^`\n]+)`", re.sub(r"```.*?```", "", TEXT, flags=re.DOTALL))
    started = [text for text in (*lines, *inline) if re.match(r"(docker compose|passerelle) ", text)]
    return {text.removesuffix(" …") for text in started} - {"passerelle hub"}


def test_every_command_is_one_that_a_test_runs() -> None:
    assert commands() == set(RUN_BY)


def test_those_tests_are_there() -> None:
    tests = {test.removeprefix("tests/").partition("[")[0] for test in collected()}
    known = tests | {test.partition("::")[0] for test in tests}
    assert [test for test in RUN_BY.values() if test not in known] == []


@pytest.mark.parametrize("page", ["backup.md", "upgrade.md"])
def test_what_is_typed_is_typed_where_the_deployment_is(page: str) -> None:
    text = PAGE.with_name("hub").joinpath(page).read_text(encoding="utf-8")
    for block in re.findall(r"^```(?:sh)?\n(.*?)^```", text, flags=re.MULTILINE | re.DOTALL):
        first = re.search(r"(?:docker compose|passerelle hub) ", block)
        assert first is None or re.search(r"cd (\S+/)?site\b", block[: first.start()]), block
    for line in re.findall(r"^\d+ \d+ \* \* \*  (.*)", text, flags=re.MULTILINE):
        assert "/site" in line


def test_a_command_of_every_week_can_be_typed_again_in_the_second() -> None:
    (folder,) = re.findall(r"^passerelle hub backup (\S+.*)", TEXT, flags=re.MULTILINE)
    assert "$(date" in folder


@pytest.mark.parametrize("page", [PAGE, PAGE.with_name("students.md"), *sorted((PAGE.parent / "hub").glob("*.md"))])
def test_every_page_that_is_linked_to_is_there(page: Path) -> None:
    links = re.findall(r"\]\((?!https?:)([^)#]+)", page.read_text(encoding="utf-8"))
    assert [link for link in links if not (page.parent / link).exists()] == []
