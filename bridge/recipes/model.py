"""What a recipe says. The docstring below each field is for whoever writes one."""

from __future__ import annotations

import re
from datetime import date
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from bridge.recipes.languages import ESCAPES
from bridge.settings.client import DEFAULT_SCOPES

PLACEHOLDER = re.compile(r"\{\{[a-z][a-z_]*\}\}|\{(?P<name>[a-z][a-z_]*)\}")
ADDRESS_NAMES = ("url", "host", "path")
NAMES = frozenset(
    {
        *("issuer", "issuer_host", "client_id", "client_secret", "scopes", "scope_list", "logout_url"),
        *("logout_url_encoded", "random", *ADDRESS_NAMES),
    }
)
"""What may stand in braces.

Of the bridge: its address and the host in it. Of the client: its facts; the scopes with a space between, or each in
double quotes with a comma between. `logout_url` is where a browser is sent to sign out at the bridge as well, with the
way back to the first of the client's `post_logout_redirect_uris`; `_encoded`, to be put into another URL. `random` is a
text of 32 characters made for this once. Of the application: its address, what of it stands between `https://` and the
path, and the path (`/` for none; one with a `%` is refused). `{{name}}` stands for `{name}` itself."""

Kind = Literal["application", "proxy", "library", "program"]


class _Part(BaseModel):
    """A name that is not known is a fault."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


class Block(_Part):
    """Something to paste."""

    into: str = Field(min_length=1)
    """Where it goes: a file, a page of the application, or a shell."""
    language: str
    """How values in it are quoted, and what a test parses it with: one of `bridge.recipes.languages`."""
    text: str = Field(min_length=1)
    """The configuration, with `{issuer}`, `{client_id}`, … where this client's own values go."""

    @field_validator("language")
    @classmethod
    def _check_language(cls, name: str) -> str:
        if name not in ESCAPES:
            raise ValueError(f"{name} is not known here (there are {', '.join(ESCAPES)})")
        return name

    @field_validator("text")
    @classmethod
    def _check_placeholders(cls, text: str) -> str:
        _check_names(text)
        return text.strip("\n")


class Client(_Part):
    """What of `ClientSettings` differs from the defaults; every address with `{url}` or `{host}` in it."""

    public: bool = False
    """Without a secret."""
    redirect_uris: tuple[str, ...] = Field(min_length=1)
    post_logout_redirect_uris: tuple[str, ...] = ()
    backchannel_logout_uri: str | None = None
    scopes: tuple[str, ...] = DEFAULT_SCOPES
    grant_types: tuple[str, ...] = ("authorization_code",)
    require_pkce: bool = True
    claims: tuple[str, ...] = ()

    @property
    def addresses(self) -> tuple[str, ...]:
        """All of them, as templates."""
        told = () if self.backchannel_logout_uri is None else (self.backchannel_logout_uri,)
        return (*self.redirect_uris, *self.post_logout_redirect_uris, *told)


class Tells(_Part):
    """What people ask next, in a sentence or two each; placeholders are filled in."""

    groups: str = Field(min_length=1)
    """What the application does with the groups of its users."""
    refresh: str = Field(min_length=1)
    """Whether it renews what it knows without the browser, and what happens when it cannot."""
    logout: str = Field(min_length=1)
    """What signing out there ends, and what it does when the user signed out elsewhere."""


class RunWith(_Part):
    """The proof that it works."""

    version: str = Field(min_length=1)
    """Which version of the application signed in at this bridge."""
    test: str = Field(pattern=r"^tests/[\w/]+\.py$")
    """The file of the test that did it."""


class TriedWith(_Part):
    """That somebody followed the page once, by hand: less than a test, which runs at every change of the code."""

    version: str = Field(min_length=1)
    """What it was tried with."""
    day: date
    """When."""
    steps: tuple[Annotated[str, Field(min_length=1)], ...] = Field(min_length=1)
    """What was seen to work, in a word or two each: signing in, what rights it gave, refresh, signing out."""


class Recipe(_Part):
    """One application."""

    name: str = Field(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$")
    """What it is called on the command line: the name of its file."""
    title: str = Field(min_length=1)
    kind: Kind = "application"
    what: str = Field(min_length=1)
    """What it is, and what this recipe makes it do: one sentence."""
    derived_from: tuple[str, ...] = Field(min_length=1)
    """The pages of its own documentation that this was written from."""
    describes: str = Field(min_length=1)
    """The version that those pages are about."""
    run_with: RunWith | None = None
    """Absent: only derived, not run."""
    tried_with: TriedWith | None = None
    """In place of `run_with`, where there is no test yet."""
    example: str | None = None
    """An address such an application may have. Absent: it has none, because it runs on people's own machines."""
    address_is: str = ""
    """What `--url` has to be, where that is not plainly the application's address."""
    client: Client
    blocks: tuple[Block, ...] = Field(min_length=1)
    then: str = ""
    """What is left to be done after pasting; placeholders are filled in here as well."""
    tells: Tells

    @model_validator(mode="after")
    def _check_together(self) -> Recipe:
        for address in self.client.addresses:
            _check_names(address, ADDRESS_NAMES)
        _check_names(" ".join((self.then, *self.tells.model_dump().values())))
        told = (self.then, *self.tells.model_dump().values())
        texts = [*self.client.addresses, *(block.text for block in self.blocks), *told]
        used = {name for text in texts for name in names_in(text)}
        if self.example is None and used & set(ADDRESS_NAMES):
            raise ValueError("{url} is used, so there has to be an example of one")
        if self.client.public and "client_secret" in used:
            raise ValueError("a public client has no {client_secret}")
        if self.run_with is not None and self.tried_with is not None:
            raise ValueError("there is run_with, which says more than tried_with: leave that out")
        return self


def names_in(text: str) -> set[str]:
    """Which values it asks for."""
    return {found["name"] for found in PLACEHOLDER.finditer(text) if found["name"] is not None}


def _check_names(text: str, known: tuple[str, ...] | frozenset[str] = NAMES) -> None:
    if unknown := sorted(names_in(text) - set(known)):
        raise ValueError(f"{', '.join(f'{{{name}}}' for name in unknown)}: there is no such placeholder here")
