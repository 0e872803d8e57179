"""Consistency of docs/operating.md: tests run each command, and linked pages exist."""

import ast
import re
from pathlib import Path

import pytest

from tests.support import readme

PAGE = Path(__file__).parents[3] / "docs" / "operating.md"
TEXT = PAGE.read_text(encoding="utf-8")
TO_CAS = "test_documented_command_writes_registration_request"
NEW = "test_upgrade_keeps_labs_and_sessions"
# Add a new command here with a test that runs it.
COMPOSE, OPERATIONS = "e2e/test_compose.py::", "e2e/test_bundle_operations.py::"
RUN_BY = {
    "docker compose up -d --build --wait": f"{COMPOSE}test_one_command_starts_all_services",
    "docker compose run --rm bridge passerelle check --no-public": f"{COMPOSE}{TO_CAS}",
    "docker compose run --rm bridge passerelle check --message": f"{COMPOSE}{TO_CAS}",
    "docker compose exec bridge passerelle check": f"{COMPOSE}test_check_passes_for_demo",
    "docker compose logs prepare bridge hub": f"{COMPOSE}test_documented_command_shows_service_logs",
    "docker compose up -d": ("e2e/test_bundle_lifecycle.py::test_changed_settings_apply_to_next_lab"),
    "docker compose restart guard hub": (
        "e2e/test_bundle_storage.py::TestRemoval::test_removed_course_member_loses_folder_at_next_start"
    ),
    "passerelle hub backup /srv/backup": (f"{OPERATIONS}test_backup_is_restored_into_an_empty_project"),
    "passerelle hub users": f"{OPERATIONS}test_users_are_listed_with_labs_and_homes",
    "passerelle hub offboard --purge-expired": (f"{OPERATIONS}TestOffboarding::test_archive_is_restored_and_expires"),
    "passerelle hub offboard bob --dry-run": f"{OPERATIONS}TestOffboarding::test_dry_run_lists_the_steps",
    "passerelle hub upgrade --dry-run": f"{OPERATIONS}TestUpgrade::{NEW}",
    "passerelle hub upgrade": f"{OPERATIONS}TestUpgrade::{NEW}",
    "docker compose run --rm --no-deps administration passerelle hub": (
        f"{OPERATIONS}test_interrupted_backup_is_continued"
    ),
    "docker compose logs hub": (
        "e2e/test_bundle_lifecycle.py::TestCulling::test_idle_warning_is_shown_and_click_keeps_lab"
    ),
    "docker compose logs firewall": (
        "e2e/test_bundle_storage.py::TestLabNetwork::test_lab_starts_only_with_verified_rules"
    ),
    "docker compose logs bridge": f"{COMPOSE}TestUser::test_cas_logout_ends_bridge_session",
    "docker compose -p hub-labs down": f"{COMPOSE}test_documented_command_stops_all_labs",
    "docker compose down": f"{COMPOSE}test_down_and_up_keep_data",
}
# Commands of the test methods, and example values on the page.
METHODS = {"compose": "docker compose", "hub": "passerelle hub", "on_machine": "passerelle hub"}
EXAMPLE = re.compile(r"/.*|\+.*|.*\(.*")


def commands() -> set[str]:
    """Return the commands of shell blocks and of sentences; `…` stands for a placeholder."""
    blocks = re.findall(r"^ *```sh\n(.*?)^ *```", TEXT, flags=re.MULTILINE | re.DOTALL)
    lines = [line.strip() for block in blocks for line in block.splitlines()]
    inline = re.findall(r"`([^`\n]+)`", re.sub(r"```.*?```", "", TEXT, flags=re.DOTALL))
    started = [text for text in (*lines, *inline) if re.match(r"(docker compose|passerelle) ", text)]
    return {text.removesuffix(" …") for text in started} - {"passerelle hub"}


def test_operating_page_commands_have_tests() -> None:
    assert commands() == set(RUN_BY)


def test_operating_page_tests_exist(collected: list[str]) -> None:
    known = {test.removeprefix("tests/").partition("[")[0] for test in collected}
    assert [test for test in RUN_BY.values() if test not in known] == []


@pytest.mark.parametrize("command", RUN_BY)
def test_documented_command_occurs_in_its_test(command: str) -> None:
    lines = lines_of(RUN_BY[command])
    assert any(words_of_command(command) <= line for line in lines), f"{words_of_command(command)} in none of {lines}"


def test_undocumented_command_is_detected() -> None:
    lines = lines_of(RUN_BY["passerelle hub users"])
    assert not any(words_of_command("passerelle hub users --no-sizes") <= line for line in lines)
    assert not any(words_of_command("docker compose logs hub") <= line for line in lines)


def words_of_command(command: str) -> set[str]:
    """Return the words that identify a command."""
    words = [re.sub(r"^hub-labs$", "-labs", word) for word in command.split() if not EXAMPLE.fullmatch(word)]
    return {{"-d": "--detach"}.get(word, word) for word in words}


def lines_of(test: str) -> list[set[str]]:
    """Return the words of each call and list in a test, its fixtures and the functions that it calls."""
    file, *names = test.split("::")
    tree = ast.parse((PAGE.parents[1] / "tests" / file).read_text(encoding="utf-8"))
    found = {node.name: node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}
    seen: set[str] = set()
    coming = [names[-1]]
    while coming:
        name = coming.pop()
        if name in found and name not in seen:
            seen.add(name)
            coming += [node.id for node in ast.walk(found[name]) if isinstance(node, ast.Name)]
            coming += [argument.arg for argument in found[name].args.args]
    nodes = [node for name in sorted(seen) for node in ast.walk(found[name])]
    return [words_of(node) for node in nodes if isinstance(node, (ast.Call, ast.List))]


def words_of(call: ast.AST) -> set[str]:
    """Return the words of the command in a call or a list."""
    # A list contains further arguments of compose.
    words = ["docker", "compose"] if isinstance(call, ast.List) else []
    for node in ast.walk(call):
        if isinstance(node, ast.Attribute) and node.attr in METHODS:
            words += METHODS[node.attr].split()
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            whole = [line for line in readme.commands() if node.value.startswith("docker ") and node.value in line]
            words += (whole[0] if whole else node.value).split()
    return {{"-d": "--detach"}.get(word, word) for word in words}


@pytest.mark.parametrize("page", ["backup.md", "upgrade.md"])
def test_commands_start_in_site_directory(page: str) -> None:
    text = PAGE.with_name("hub").joinpath(page).read_text(encoding="utf-8")
    for block in re.findall(r"^```(?:sh)?\n(.*?)^```", text, flags=re.MULTILINE | re.DOTALL):
        first = re.search(r"(?:docker compose|passerelle hub) ", block)
        assert first is None or re.search(r"cd (\S+/)?site\b", block[: first.start()]), block
    for line in re.findall(r"^\d+ \d+ \* \* \*  (.*)", text, flags=re.MULTILINE):
        assert "/site" in line


def test_page_reminds_of_the_backup_password() -> None:
    before = TEXT[: TEXT.index("passerelle hub backup /srv/backup")]
    assert "Keep a copy of `backup-password` on another machine" in before[-200:]


@pytest.mark.parametrize("page", [PAGE, PAGE.with_name("students.md"), *sorted((PAGE.parent / "hub").glob("*.md"))])
def test_linked_hub_pages_exist(page: Path) -> None:
    links = re.findall(r"\]\((?!https?:)([^)#]+)", page.read_text(encoding="utf-8"))
    assert [link for link in links if not (page.parent / link).exists()] == []


@pytest.mark.parametrize("page", [PAGE, *sorted((PAGE.parent / "hub").glob("*.md"))])
def test_hub_page_settings_are_in_env_file(page: Path) -> None:
    known = set(re.findall(r"^#? ?([A-Z_]+)=", (PAGE.parents[1] / ".env").read_text(encoding="utf-8"), re.MULTILINE))
    former = {"HUB_IP", "LAB_INTERNET"}  # of the tutorial, and of older deployments
    named = re.findall(
        r"(?<![\w/])(?:HUB|AUTH|LAB|CULL|CAS|BRIDGE|ACME)_[A-Z_]*[A-Z]\b", page.read_text(encoding="utf-8")
    )
    assert set(named) - known - former == set()
