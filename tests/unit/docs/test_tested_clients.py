"""Consistency of the table of tested clients with the tests and the installed packages."""

from __future__ import annotations

import ast
import json
import re
from importlib.metadata import version
from pathlib import Path

import pytest

from bridge.recipes.model import all_recipes
from docs._generate.tested_clients import PAGE, STEPS, page, rows
from tests.machine.status import installed_package

ROOT = Path(__file__).parents[3]
CLIENTS = ROOT / "tests" / "clients"
FIELDS = ("client", "used", "package", "version", "file", *STEPS)


def test_page_matches_client_table() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), "run `make docs`"


@pytest.mark.parametrize("name", rows())
def test_client_steps_are_tests_or_explained(name: str) -> None:
    row = rows()[name]
    tree = ast.parse((CLIENTS / row["file"]).read_text(encoding="utf-8"))
    tests = {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}

    assert tuple(row) in (FIELDS, (*FIELDS, "recipe"))
    assert row["sign_in"] in tests
    named = [row[step] for step in STEPS]
    assert [step for step in named if step not in tests and not step.startswith("no: ")] == []
    assert not any("|" in text for text in row.values())


@pytest.mark.parametrize("name", rows())
def test_client_versions_match_installed_packages(name: str) -> None:
    row = rows()[name]
    registry, _, package = row["package"].partition(":")
    if registry == "pypi":
        found: str | None = version(package)
    elif registry == "npm":
        packages = json.loads((CLIENTS / "node" / "package-lock.json").read_text(encoding="utf-8"))
        found = packages["packages"][f"node_modules/{package}"]["version"]
    elif registry == "synapse":
        lock = (ROOT / "requirements" / f"{registry}.txt").read_text(encoding="utf-8")
        (found,) = re.findall(rf"^{package}==(\S+)", lock, flags=re.MULTILINE)
    else:
        assert registry == "debian"
        # A package that is not installed was not tested here. Debian revisions of a version are ignored.
        found = (installed_package(package) or row["version"]).partition("-")[0]

    assert found == row["version"]


def test_client_table_lists_every_test_file() -> None:
    files = {path.name for path in CLIENTS.glob("test_*.py")}
    assert files == {row["file"] for row in rows().values()}


def test_recipes_name_their_client_tests() -> None:
    rows_by_recipe = {row["recipe"]: row for row in rows().values() if "recipe" in row}
    run = {recipe.name: recipe.run_with for recipe in all_recipes() if recipe.run_with is not None}

    assert run.keys() == rows_by_recipe.keys()
    for name, row in rows_by_recipe.items():
        assert (run[name].version, run[name].test) == (
            f"{row['client']} {row['version']}",
            f"tests/clients/{row['file']}",
        )
        source = (CLIENTS / row["file"]).read_text(encoding="utf-8")
        assert f'"{name}"' in source or f"--recipe={name}" in source
