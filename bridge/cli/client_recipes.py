"""`passerelle clients recipes`, and what a recipe adds to `passerelle clients add`."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import click

from bridge.oauth.client_store import checked
from bridge.recipes import (
    Configuration,
    Recipe,
    RecipeFault,
    all_recipes,
    application_url,
    client_facts,
    configuration,
    find_recipe,
    lines_with_address,
)
from bridge.settings import ClientSettings

# What stands in for them before there is a client: every language can hold what they will be.
_ANY_ID, _ANY_SECRET = "client", "secret"
# What a line of somebody's own recipe may have beside the address, and nobody knows any more.
_AS_BEFORE = "AS-BEFORE"


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    """A recipe, and where the application is."""

    recipe: Recipe
    url: str | None

    @property
    def facts(self) -> dict[str, Any]:
        """Of the client, before options change them."""
        return client_facts(self.recipe, self.url)

    def check_fits(self, facts: dict[str, Any], *, public: bool, issuer: str) -> None:
        """Whether the configuration can be written, before anything is registered.

        :raises RecipeFault: when not
        """
        if public and not self.recipe.client.public:
            raise RecipeFault(f"{self.recipe.title} keeps a secret: leave out --public, or --recipe.")
        secret = {} if public else {"client_secret": _ANY_SECRET}
        client = checked({**facts, "client_id": facts.get("client_id") or _ANY_ID, **secret})
        self.filled(client, issuer=issuer, client_secret=_ANY_SECRET)

    def check_keeps_secret(self, *, public: bool) -> None:
        """Whether a client that is there already can be one of the recipe.

        :raises RecipeFault: when not
        """
        if public and not self.recipe.client.public:
            raise RecipeFault(f"{self.recipe.title} keeps a secret, and this client has none: name another recipe.")

    def at_new_address(self, client: ClientSettings, *, issuer: str) -> Configuration:
        """Those lines of the configuration that have the application's address.

        :raises RecipeFault: when they cannot be written
        """
        return configuration(
            lines_with_address(self.recipe),
            client,
            issuer=issuer,
            client_secret=_AS_BEFORE,
            url=self.url,
            random=lambda: _AS_BEFORE,
        )

    def filled(self, client: ClientSettings, *, issuer: str, client_secret: str | None) -> Configuration:
        """The application's own configuration."""
        return configuration(self.recipe, client, issuer=issuer, client_secret=client_secret, url=self.url)


def from_recipe(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the options."""
    recipe = click.option(
        "--recipe", "recipe_name", metavar="APP", help="Register as APP needs it; `clients recipes` lists them."
    )
    return recipe(
        click.option("--url", metavar="URL", help="With --recipe: where people reach the application.")(command)
    )


def chosen(name: str | None, url: str | None, *, moves: bool = False) -> Chosen | None:
    """What the two options say; None for neither.

    :param moves: whether it is about an application that was somewhere else before
    """
    if name is None:
        if url is not None:
            raise click.UsageError("--url goes with --recipe; without a recipe there is --redirect-uri.")
        return None
    try:
        recipe = find_recipe(name)
    except RecipeFault as fault:
        raise click.BadParameter(fault.description, param_hint="--recipe") from None
    if recipe.example is None:
        if moves:
            raise click.UsageError(f"{recipe.title} runs on people's own machines and has no address that could move.")
        if url is not None:
            raise click.UsageError(f"{recipe.title} runs on people's own machines and has no address: leave out --url.")
        return Chosen(recipe=recipe, url=None)
    if url is None:
        raise click.UsageError(f"--recipe {name} needs --url, like {recipe.example}{_address_is(recipe)}.")
    try:
        return Chosen(recipe=recipe, url=application_url(url))
    except ValueError as fault:
        raise click.BadParameter(f"The address {fault}.", param_hint="--url") from None


def told(configuration: Configuration, *, into: str = "{into}") -> str:
    """For people: each block under a line that says where it goes."""
    parts = [f"\n── into {into.format(into=block.into)} ──\n{block.text}" for block in configuration.blocks]
    return "\n".join([*parts, *([f"\n{configuration.then}"] if configuration.then else [])])


def as_fields(chosen: Chosen, configuration: Configuration, issuer: str) -> dict[str, Any]:
    """For scripts."""
    return {
        "issuer": issuer,
        "recipe": chosen.recipe.name,
        "url": chosen.url,
        "configuration": [block.as_fields() for block in configuration.blocks],
        "then": configuration.then,
        "tells": dict(configuration.tells),
    }


@click.command("recipes")
@click.argument("app", required=False)
@click.option("--json", "as_json", is_flag=True, help="Print JSON: an array, or one object for APP.")
def recipes(app: str | None, as_json: bool) -> None:
    """List the applications that there is a recipe for, or show the recipe of APP.

    A recipe knows what an application has to be registered with and what its own configuration then says. APP may
    also be a file of your own; the recipes that come with the bridge show how one is written.

    \b
    Examples:
        passerelle clients recipes
        passerelle clients recipes grafana
        passerelle clients add Dashboards --recipe grafana --url https://grafana.example.org
    """
    try:
        found = all_recipes() if app is None else (find_recipe(app),)
    except RecipeFault as fault:
        raise click.ClickException(fault.description) from None
    rows = [_row(recipe) for recipe in found]
    if as_json:
        click.echo(json.dumps(rows if app is None else rows[0] | _whole(found[0]), indent=2))
    elif app is not None:
        click.echo(_page(found[0]))
    else:
        width = max(len(row["recipe"]) for row in rows)
        for row in rows:
            click.echo(f"{row['recipe']:{width}}  {row['title']} ({_proof(row)})")


def _row(recipe: Recipe) -> dict[str, Any]:
    return {
        "recipe": recipe.name,
        "title": recipe.title,
        "what": recipe.what,
        "needs_url": recipe.example is not None,
        "describes": recipe.describes,
        "run_with": recipe.run_with and recipe.run_with.version,
        "tried_with": recipe.tried_with and recipe.tried_with.version,
        "derived_from": list(recipe.derived_from),
    }


def _whole(recipe: Recipe) -> dict[str, Any]:
    return {
        "client": recipe.client.model_dump(mode="json", exclude_none=True),
        "configuration": [block.model_dump(mode="json") for block in recipe.blocks],
        "then": recipe.then,
        "tells": recipe.tells.model_dump(mode="json"),
    }


def _page(recipe: Recipe) -> str:
    lines = [f"{recipe.title}: {recipe.what}", f"It is {_proof(_row(recipe))}, from"]
    lines += [f"    {page}" for page in recipe.derived_from]
    if recipe.example is not None:
        lines += [f"--url        like {recipe.example}{_address_is(recipe)}"]
    for name, value in recipe.client.model_dump(exclude_none=True, exclude_defaults=True).items():
        shown = " ".join(value) if isinstance(value, tuple) else {True: "yes", False: "no"}.get(value, value)
        lines += [f"{name}  {shown}"]
    lines += [f"{name}: {said}" for name, said in recipe.tells.model_dump().items()]
    blocks = [f"\n── into {block.into} ──\n{block.text}" for block in recipe.blocks]
    return "\n".join([*lines, *blocks, *([f"\n{recipe.then}"] if recipe.then else [])])


def _proof(row: dict[str, Any]) -> str:
    if row["run_with"]:
        return f"run with {row['run_with']}"
    return f"tried by hand with {row['tried_with']}" if row["tried_with"] else f"derived, for {row['describes']}"


def _address_is(recipe: Recipe) -> str:
    return f" ({recipe.address_is})" if recipe.address_is else ""
