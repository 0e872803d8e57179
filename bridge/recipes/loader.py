"""Recipe files: those of this package, and an administrator's own."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from difflib import get_close_matches
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from bridge.recipes.model import Recipe
from bridge.recipes.templates import RecipeError
from bridge.settings import describe_read_error

SUFFIX = ".toml"
MAX_BYTES = 100_000


@cache
def all_recipes() -> tuple[Recipe, ...]:
    """Return the recipes of this package, sorted by title."""
    return tuple(sorted((_load(file, file.name) for file in _files()), key=lambda recipe: recipe.title.casefold()))


def find_recipe(name: str) -> Recipe:
    """Return the recipe with this name, or the one in this file.

    Args:
        name: The name of a recipe, or a path: it ends in `.toml` or contains a slash.

    Raises:
        RecipeError: If there is no such recipe, or if the file is invalid.
    """
    if name.endswith(SUFFIX) or "/" in name:
        return _load(Path(name), name)
    known = {file.name.removesuffix(SUFFIX): file for file in _files()}
    if name in known:
        return _load(known[name], known[name].name)
    near = _find_by_title(name) or get_close_matches(name.lower(), known, n=1)
    hint = f" Did you mean {' or '.join(', '.join(near).rsplit(', ', 1))}?" if near else ""
    raise RecipeError(f"There is no recipe {name!r}.{hint} `passerelle clients recipes` lists all recipes.")


def _find_by_title(word: str) -> list[str]:
    """Return the names of the recipes with this word in their title."""
    return sorted(
        recipe.name for recipe in all_recipes() if word.lower() in re.split(r"[^a-z0-9]+", recipe.title.lower())
    )


def _files() -> Iterator[Traversable]:
    return (file for file in files("bridge.recipes").iterdir() if file.name.endswith(SUFFIX))


def _has_control_characters(data: Any) -> bool:
    if isinstance(data, dict):
        return any(map(_has_control_characters, (*data, *data.values())))
    if isinstance(data, list):
        return any(map(_has_control_characters, data))
    return isinstance(data, str) and not data.replace("\n", "").replace("\t", "").isprintable()


def _load(file: Traversable, shown: str) -> Recipe:
    try:
        with file.open("rb") as stream:
            content = stream.read(MAX_BYTES + 1)
        if len(content) > MAX_BYTES:
            raise RecipeError(f"The recipe {shown} is longer than {MAX_BYTES} bytes.")
        data = tomllib.loads(content.decode("utf-8-sig"))
        if _has_control_characters(data):
            raise RecipeError(f"The recipe {shown} is invalid: it contains a control character.")
        return Recipe.model_validate({"name": Path(shown).name.removesuffix(SUFFIX), **data})
    except (OSError, UnicodeDecodeError) as error:
        raise RecipeError(f"Cannot read the recipe {shown}: {describe_read_error(error)}.") from None
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise RecipeError(f"The recipe {shown} is not TOML: {error}.") from None
    except ValidationError as error:
        faults = error.errors(include_url=False, include_input=False)
        lines = [f"{'.'.join(map(str, fault['loc'])) or 'recipe'}: {fault['msg']}" for fault in faults]
        listed = "".join(f"\n  - {line.replace('Value error, ', '')}" for line in lines)
        raise RecipeError(f"The recipe {shown} is invalid:{listed}") from None
