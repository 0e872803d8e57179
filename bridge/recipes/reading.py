"""Where recipes come from: the files of this room, or one that somebody wrote for an application of their own."""

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

from bridge.errors import ClientCommandError
from bridge.recipes.model import Recipe
from bridge.settings.config_files import describe_read_error

SUFFIX = ".toml"
MAXIMAL_BYTES = 100_000


class RecipeFault(ClientCommandError):
    """A recipe that is not there, cannot be read, or cannot be used as asked."""


@cache
def all_recipes() -> tuple[Recipe, ...]:
    """Those that come with the bridge, by title."""
    return tuple(sorted((_read(file, file.name) for file in _files()), key=lambda recipe: recipe.title.casefold()))


def find_recipe(name: str) -> Recipe:
    """The recipe of that name, or of that file.

    :raises RecipeFault: when there is none, or it says something that no recipe can say
    """
    if name.endswith(SUFFIX) or "/" in name:
        return _read(Path(name), name)
    known = {file.name.removesuffix(SUFFIX): file for file in _files()}
    if name in known:
        return _read(known[name], known[name].name)
    near = _of_title(name) or get_close_matches(name.lower(), known, n=1)
    hint = f" Did you mean {' or '.join(', '.join(near).rsplit(', ', 1))}?" if near else ""
    raise RecipeFault(f"There is no recipe {name!r}.{hint} `passerelle clients recipes` shows all.")


def _of_title(word: str) -> list[str]:
    """The recipes with this word in their title, as people call the application."""
    return sorted(
        recipe.name for recipe in all_recipes() if word.lower() in re.split(r"[^a-z0-9]+", recipe.title.lower())
    )


def _files() -> Iterator[Traversable]:
    return (file for file in files("bridge.recipes").iterdir() if file.name.endswith(SUFFIX))


def _texts_in(said: Any) -> Iterator[str]:
    if isinstance(said, str):
        yield said
    elif isinstance(said, dict | list):
        for one in (*said, *said.values()) if isinstance(said, dict) else said:
            yield from _texts_in(one)


def _is_plain(text: str) -> bool:
    return text.replace("\n", "").replace("\t", "").isprintable()


def _read(file: Traversable, shown: str) -> Recipe:
    try:
        with file.open("rb") as opened:
            data = opened.read(MAXIMAL_BYTES + 1)
        if len(data) > MAXIMAL_BYTES:
            raise RecipeFault(f"The recipe {shown} is longer than {MAXIMAL_BYTES} bytes, so it is none.")
        said = tomllib.loads(data.decode("utf-8-sig"))
        if not all(map(_is_plain, _texts_in(said))):
            raise RecipeFault(f"The recipe {shown} cannot be used: it has a control character, which terminals obey.")
        return Recipe.model_validate({"name": Path(shown).name.removesuffix(SUFFIX), **said})
    except (OSError, UnicodeDecodeError) as error:
        raise RecipeFault(f"Cannot read the recipe {shown}: {describe_read_error(error)}.") from None
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise RecipeFault(f"The recipe {shown} is not TOML: {error}.") from None
    except ValidationError as error:
        faults = error.errors(include_url=False, include_input=False)
        told = [f"{'.'.join(map(str, fault['loc'])) or 'recipe'}: {fault['msg']}" for fault in faults]
        listed = "".join(f"\n  - {one.replace('Value error, ', '')}" for one in told)
        raise RecipeFault(f"The recipe {shown} cannot be used:{listed}") from None
