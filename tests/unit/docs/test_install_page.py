"""Consistency of docs/install.md: tests run each command, and linked pages exist."""

from __future__ import annotations

import re

from tests.support.install_page import PAGE, blocks

TEXT = PAGE.read_text(encoding="utf-8")
WHEEL, IMAGE, UNIT = "interop/test_wheel.py", "e2e/test_image.py", "interop/test_systemd_unit.py"
FIRST_RUN = "unit/bridge/first_run/test_init.py"
AUTH_METHOD = f"{WHEEL}::test_sign_in_from_empty_folder"
AS_ROOT = f"{UNIT}::test_root_commands_create_private_files_for_unit_user"
# Add a new command here and to a test that runs it. `systemctl` is tested as far as possible without systemd: by the
# verification of the unit, and by the unit's command.
RUN_BY = {
    "python3 -m venv /opt/passerelle": AUTH_METHOD,
    "/opt/passerelle/bin/pip install --require-hashes -r requirements/bridge.txt": AUTH_METHOD,
    "/opt/passerelle/bin/pip install --no-deps .": AUTH_METHOD,
    "passerelle init": "unit/bridge/first_run/test_init_terminal.py",
    "passerelle serve": AUTH_METHOD,
    "passerelle init --yes --issuer https://auth.example.org --cas-url https://sso.example.org/cas": FIRST_RUN,
    "useradd --system --user-group --home-dir /nonexistent --shell /usr/sbin/nologin passerelle": AS_ROOT,
    "/opt/passerelle/bin/passerelle init --system": AS_ROOT,
    "systemctl enable --now passerelle": f"{UNIT}::test_unit_command_serves_init_settings",
    "docker build -f bridge/Dockerfile -t passerelle --build-arg PYTHON_IMAGE=python:3.13-slim .": IMAGE,
    "docker compose run --rm passerelle passerelle init --yes": f"{IMAGE}::test_documented_compose_file_runs",
    "docker compose up -d --wait": f"{IMAGE}::test_documented_compose_file_runs",
    "docker compose exec passerelle passerelle check": f"{IMAGE}::test_documented_compose_file_runs",
}


def test_install_page_commands_have_tests() -> None:
    found = [line for block in re.findall(r"^```sh\n(.*?)^```", TEXT, flags=re.M | re.S) for line in block.splitlines()]
    assert sorted(found) == sorted(RUN_BY)


def test_install_page_tests_exist(collected: list[str]) -> None:
    tests = {test.removeprefix("tests/").partition("[")[0] for test in collected}
    known = tests | {test.partition("::")[0] for test in tests}
    assert [test for test in RUN_BY.values() if test not in known] == []


def test_init_prints_documented_useradd_command() -> None:
    from bridge.first_run.setup import SetupError, find_owner

    try:
        find_owner("no-such-user-here")
    except SetupError as refused:
        told = refused.description.splitlines()[-1].strip()
    assert told.replace("no-such-user-here", "passerelle") in blocks("systemd", "sh")[0].splitlines()


def test_install_page_compose_file_is_short() -> None:
    (compose,) = blocks("A container", "yaml")
    assert compose.count("\n") <= 20


def test_install_page_links_exist() -> None:
    links = re.findall(r"\]\((?!https?:)([^)#]+)", TEXT)
    assert links
    assert [link for link in links if not (PAGE.parent / link).exists()] == []
    anchors = re.findall(r"\]\(#([^)]+)\)", TEXT)
    headings = {re.sub(r"[^a-z0-9]+", "-", text.lower()) for text in re.findall(r"^#+ (.+)$", TEXT, flags=re.MULTILINE)}
    assert [anchor for anchor in anchors if anchor not in headings] == []
