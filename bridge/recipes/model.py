"""The fields of a recipe file. The docstring of each field documents it for the authors of recipes."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from bridge.recipes.templates import ESCAPES, variables_in
from bridge.settings.client import DEFAULT_SCOPES

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

Kind = Literal["application", "proxy", "library", "program"]


class _Part(BaseModel):
    """Base of all parts of a recipe: unknown names are errors."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


class Block(_Part):
    """A configuration to paste."""

    into: str = Field(min_length=1)
    """Where to paste it: a file, a page of the application, or a shell."""
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

    @property
    def addresses(self) -> tuple[str, ...]:
        """All address templates."""
        backchannel = () if self.backchannel_logout_uri is None else (self.backchannel_logout_uri,)
        return (*self.redirect_uris, *self.post_logout_redirect_uris, *backchannel)


class Tells(_Part):
    """The application's behaviour, in one or two sentences each; templates."""

    groups: str = Field(min_length=1)
    """How the application uses the groups of its users."""
    refresh: str = Field(min_length=1)
    """Whether the application refreshes its tokens, and what happens if the bridge rejects the refresh."""
    logout: str = Field(min_length=1)
    """Which sessions a sign-out ends, and whether the application receives sign-outs from the bridge."""


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
    kind: Kind = "application"
    what: str = Field(min_length=1)
    """What the application is, and how its users sign in, in one sentence."""
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
    """What to pass as `--url`, if that is not obvious."""
    client: ClientTemplate
    blocks: tuple[Block, ...] = Field(min_length=1)
    then: str = ""
    """The steps that remain after pasting; a template."""
    tells: Tells

    @model_validator(mode="after")
    def _check_templates(self) -> Recipe:
        prose = [self.then, *(text for _, text in self.tells)]
        _check_variables(self.client.addresses, URL_VARIABLES)
        _check_variables(prose)
        texts = [*self.client.addresses, *(block.text for block in self.blocks), *prose]
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
        if unknown := sorted(variables_in(text) - known):
            raise ValueError(f"unknown placeholder {', '.join(f'{{{{ {name} }}}}' for name in unknown)}")
