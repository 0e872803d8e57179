"""Recipe files: those of this package, and an administrator's own. Docstrings of fields are for authors of recipes."""

import re
import tomllib
from collections.abc import Iterable, Iterator
from datetime import date
from difflib import get_close_matches
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from bridge.recipes.templates import ESCAPES, RecipeError, variables_in
from bridge.settings import describe_read_error
from bridge.settings.client import DEFAULT_SCOPES

_SUFFIX = ".toml"
_MAX_BYTES = 100_000
URL_VARIABLES = frozenset({"url", "host", "path"})
VARIABLES = URL_VARIABLES | {
    *("issuer", "issuer_host", "client_id", "client_secret", "scopes", "scope_list", "logout_url"),
    *("logout_url_encoded", "random"),
}
"""The placeholders of a template.

`issuer` and `issuer_host` are the bridge's URL and its host. `client_id`, `client_secret` and `scopes` belong to the
client; `scope_list` is the scopes in double quotes, with commas between them. `logout_url` signs the user out at the
bridge and returns to the client's first `post_logout_redirect_uris`; `logout_url_encoded` is the same inside another
URL. `random()` is a new text of 32 characters. `url`, `host` and `path` belong to the application; the path is `/` if
there is none, and must not contain a `%`. Write literal braces of the application between `{% raw %}` and
`{% endraw %}`."""


_OLD_PLACEHOLDER = re.compile(rf"(?<![{{$])\{{({'|'.join(VARIABLES)})\}}(?!\}})")
"""The syntax of recipes before Jinja2, which would be printed as it is."""
_RAW = re.compile(r"\{%-?\s*raw\s*-?%\}.*?\{%-?\s*endraw\s*-?%\}", re.DOTALL)


class _Part(BaseModel):
    """Base of all parts of a recipe: unknown names are errors."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


class Block(_Part):
    """A configuration to paste."""

    into: str = Field(min_length=1)
    """Destination: a file, a page of the application, or a shell."""
    language: str
    """The language that values are escaped for: a key of `bridge.recipes.templates.ESCAPES`."""
    text: str = Field(min_length=1)
    """The configuration, as a Jinja2 template."""

    @field_validator("language")
    @classmethod
    def _check_language(cls, name: str) -> str:
        if name not in ESCAPES:
            raise ValueError(f"unknown language {name} (known: {', '.join(ESCAPES)})")
        return name

    @field_validator("text")
    @classmethod
    def _check_text(cls, text: str) -> str:
        _check_variables([text])
        return text.strip("\n")


class ClientTemplate(_Part):
    """The `ClientSettings` fields that differ from the defaults; addresses are templates."""

    public: bool = False
    """Register a public client, without a secret."""
    redirect_uris: tuple[str, ...] = Field(min_length=1)
    post_logout_redirect_uris: tuple[str, ...] = ()
    backchannel_logout_uri: str | None = None
    scopes: tuple[str, ...] = DEFAULT_SCOPES
    grant_types: tuple[str, ...] = ("authorization_code",)
    require_pkce: bool = True
    claims: tuple[str, ...] = ()


class Tells(_Part):
    """The application's behaviour, in one or two sentences each; templates."""

    groups: str = Field(min_length=1)
    """The application's use of group claims."""
    refresh: str = Field(min_length=1)
    """The application's use of refresh tokens, and its reaction to a rejected refresh."""
    logout: str = Field(min_length=1)
    """The sessions that a sign-out ends, and the support for sign-outs from the bridge."""


class RunWith(_Part):
    """An automated test of the recipe."""

    version: str = Field(min_length=1)
    """The version of the application that signed in to this bridge."""
    test: str = Field(pattern=r"^tests/[\w/]+\.py$")
    """The test file."""


class TriedWith(_Part):
    """One manual test of the recipe."""

    version: str = Field(min_length=1)
    """The version of the application."""
    day: date
    """The day of the test."""
    steps: tuple[Annotated[str, Field(min_length=1)], ...] = Field(min_length=1)
    """The steps that worked, in a word or two each."""


class Recipe(_Part):
    """One application."""

    name: str = Field(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$")
    """The name on the command line: the name of the file."""
    title: str = Field(min_length=1)
    kind: Literal["application", "proxy", "library", "program"] = "application"
    what: str = Field(min_length=1)
    """One sentence about the application and its sign-in."""
    derived_from: tuple[str, ...] = Field(min_length=1)
    """The pages of the application's documentation that the recipe was written from."""
    describes: str = Field(min_length=1)
    """The version that those pages document."""
    run_with: RunWith | None = None
    """The automated test of the recipe, if there is one."""
    tried_with: TriedWith | None = None
    """The manual test of the recipe, if there is no automated one."""
    example: str | None = None
    """An example of the application's URL. Absent for programs, which have none."""
    address_is: str = ""
    """Explanation of the value of `--url`, if that is not obvious."""
    client: ClientTemplate
    blocks: tuple[Block, ...] = Field(min_length=1)
    then: str = ""
    """The steps that remain after pasting; a template."""
    tells: Tells

    @model_validator(mode="after")
    def _check_templates(self) -> "Recipe":
        prose = [self.then, *(text for _, text in self.tells)]
        addresses = [*self.client.redirect_uris, *self.client.post_logout_redirect_uris]
        addresses += filter(None, [self.client.backchannel_logout_uri])
        _check_variables(addresses, URL_VARIABLES)
        _check_variables(prose)
        texts = [*addresses, *(block.text for block in self.blocks), *prose]
        used = frozenset[str]().union(*map(variables_in, texts))
        if self.example is None and used & URL_VARIABLES:
            raise ValueError("{{ url }} is used, so an example is required")
        if self.client.public and "client_secret" in used:
            raise ValueError("a public client has no {{ client_secret }}")
        if self.run_with is not None and self.tried_with is not None:
            raise ValueError("run_with and tried_with are both given: keep run_with")
        return self


def _check_variables(texts: Iterable[str], known: frozenset[str] = VARIABLES) -> None:
    for text in texts:
        if old := _OLD_PLACEHOLDER.search(_RAW.sub("", text)):
            raise ValueError(f"write {{{{ {old[1]} }}}} instead of {old[0]}, or {{% raw %}}{old[0]}{{% endraw %}}")
        if unknown := sorted(variables_in(text) - known):
            raise ValueError(f"unknown placeholder {', '.join(f'{{{{ {name} }}}}' for name in unknown)}")


@cache
def all_recipes() -> tuple[Recipe, ...]:
    """Return the recipes of this package, sorted by title."""
    return tuple(sorted((_load(file, file.name) for file in _files()), key=lambda recipe: recipe.title.casefold()))


def find_recipe(name: str) -> Recipe:
    """Return the recipe with this name, or the one in this file: a path ends in `.toml` or contains a slash.

    Raises:
        RecipeError: If there is no such recipe, or if the file is invalid.
    """
    if name.endswith(_SUFFIX) or "/" in name:
        return _load(Path(name), name)
    known = {file.name.removesuffix(_SUFFIX): file for file in _files()}
    if name in known:
        return _load(known[name], known[name].name)
    titles = {recipe.name: re.split(r"[^a-z0-9]+", recipe.title.lower()) for recipe in all_recipes()}
    near = sorted(recipe for recipe, words in titles.items() if name.lower() in words)
    near = near or get_close_matches(name.lower(), known, n=1)
    hint = f" Did you mean {' or '.join(', '.join(near).rsplit(', ', 1))}?" if near else ""
    raise RecipeError(f"There is no recipe {name!r}.{hint} `passerelle clients recipes` lists all recipes.")


def _files() -> Iterator[Traversable]:
    return (file for file in files("bridge.recipes").iterdir() if file.name.endswith(_SUFFIX))


def _has_control_characters(data: Any) -> bool:
    if isinstance(data, dict):
        return any(map(_has_control_characters, (*data, *data.values())))
    if isinstance(data, list):
        return any(map(_has_control_characters, data))
    return isinstance(data, str) and not data.replace("\n", "").replace("\t", "").isprintable()


def _load(file: Traversable, shown: str) -> Recipe:
    try:
        with file.open("rb") as stream:
            content = stream.read(_MAX_BYTES + 1)
        if len(content) > _MAX_BYTES:
            raise RecipeError(f"The recipe {shown} is longer than {_MAX_BYTES} bytes.")
        data = tomllib.loads(content.decode("utf-8-sig"))
        if _has_control_characters(data):
            raise RecipeError(f"The recipe {shown} is invalid: it contains a control character.")
        return Recipe.model_validate({"name": Path(shown).name.removesuffix(_SUFFIX), **data})
    except (OSError, UnicodeDecodeError) as error:
        raise RecipeError(f"Cannot read the recipe {shown}: {describe_read_error(error)}.") from None
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise RecipeError(f"The recipe {shown} is not TOML: {error}.") from None
    except ValidationError as error:
        faults = error.errors(include_url=False, include_input=False)
        lines = [f"{'.'.join(map(str, fault['loc'])) or 'recipe'}: {fault['msg']}" for fault in faults]
        listed = "".join(f"\n  - {line.replace('Value error, ', '')}" for line in lines)
        raise RecipeError(f"The recipe {shown} is invalid:{listed}") from None
