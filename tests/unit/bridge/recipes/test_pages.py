"""The pages in docs/clients are generated from the recipes."""

from __future__ import annotations

import re
import shlex

import pytest
from click.testing import CliRunner

from bridge.cli import main
from bridge.recipes.model import all_recipes
from docs._generate import recipes as generate_recipes

PAGES = generate_recipes.pages()


@pytest.mark.parametrize("name", sorted(PAGES))
def test_page_matches_its_recipe(name: str) -> None:
    assert (generate_recipes.FOLDER / name).read_text(encoding="utf-8") == PAGES[name], "run `make docs`"


def test_overview_links_a_page_for_every_recipe() -> None:
    linked = re.findall(r"\]\(([a-z0-9-]+\.md)\)", PAGES[generate_recipes.OVERVIEW])
    assert sorted(linked) == sorted(["tested.md", *(f"{recipe.name}.md" for recipe in all_recipes())])
    assert len(PAGES) == len(all_recipes()) + 1


def test_relative_links_resolve() -> None:
    for name, text in PAGES.items():
        for link in re.findall(r"\]\((?!https?:)([^)#]+)", text):
            assert (generate_recipes.FOLDER / link).exists(), f"{name}: {link}"


def test_commands_on_pages_are_valid() -> None:
    """Append --help, so that each command is parsed but not run."""
    commands = [line for text in PAGES.values() for line in text.splitlines() if line.startswith("passerelle ")]
    assert len(commands) > len(all_recipes())
    for command in commands:
        words = [word for word in shlex.split(command.partition(" > ")[0])[1:] if word != "NAME"]
        result = CliRunner().invoke(main, [*words, "--help"])
        assert result.exit_code == 0, command


def test_pages_state_how_the_recipe_was_tested() -> None:
    overview = PAGES[generate_recipes.OVERVIEW]
    for recipe in all_recipes():
        (said,) = re.findall(r"^\*\*(Run|Tried|Derived)\*\*", PAGES[f"{recipe.name}.md"], re.MULTILINE)
        (row,) = re.findall(rf"^\| .* \| `{recipe.name}` \|.*\| (.*) \|$", overview, re.MULTILINE)
        if recipe.run_with is not None:
            assert (said, row) == ("Run", f"{recipe.run_with.version} (`{recipe.run_with.test}`)")
        elif recipe.tried_with is not None:
            shown = f"by hand with {recipe.tried_with.version}, {recipe.tried_with.day}"
            assert (said, row) == ("Tried", shown)
        else:
            assert (said, row) == ("Derived", "not tested")
