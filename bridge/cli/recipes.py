"""Recipes in `passerelle clients`: the command `recipes`, and the options --recipe and --url."""

from typing import Any, NamedTuple

import click

from bridge.cli.output import note, print_json, yes_or_no
from bridge.oauth.clients import validate_client
from bridge.recipes.configuration import application_url, fill_recipe, moved_addresses, previous_url
from bridge.recipes.model import Recipe, all_recipes, find_recipe
from bridge.recipes.templates import RecipeError
from bridge.settings import ClientSettings

# Placeholders before the client exists; every language can hold them and the generated values.
_ANY_ID, _ANY_SECRET = "client", "secret"


class ChosenRecipe(NamedTuple):
    """A recipe, and the URL of the application."""

    recipe: Recipe
    url: str | None

    def check_type(self, *, public: bool) -> None:
        """Check that the client has a secret if the recipe needs one, or raise `RecipeError`."""
        if public and not self.recipe.client.public:
            name = self.recipe.name
            raise RecipeError(f"Recipe {name} needs a client with a secret: omit --public, or choose another recipe.")

    def check_fits(self, facts: dict[str, Any], *, public: bool, issuer: str) -> None:
        """Check before the registration that the configuration can be rendered, or raise `RecipeError`."""
        self.check_type(public=public)
        secret = {} if public else {"client_secret": _ANY_SECRET}
        client = validate_client({**facts, "client_id": facts.get("client_id") or _ANY_ID, **secret})
        fill_recipe(self.recipe, client, issuer=issuer, client_secret=_ANY_SECRET, url=self.url)

    def moved_addresses(self, client: ClientSettings) -> dict[str, Any]:
        """Return the address fields of a client whose application moved to the URL, or raise `RecipeError`."""
        self.check_type(public=client.is_public)
        old = previous_url(self.recipe, client.redirect_uris)
        if old is None:
            name = self.recipe.name
            note(f"{client.client_id} has no redirect URI of the recipe {name}, whose addresses replace its own.")
        return moved_addresses(self.recipe, client, old, self.url or "")


def choose_recipe(name: str | None, url: str | None, *, moves: bool = False) -> ChosenRecipe | None:
    """Return the recipe for --recipe and --url, or None without them; a program without a URL cannot move."""
    if name is None:
        if url is not None:
            raise click.UsageError("--url needs --recipe (see `clients recipes`). Without one, use --redirect-uri.")
        return None
    try:
        recipe = find_recipe(name)
    except RecipeError as error:
        raise click.BadParameter(error.description, param_hint="--recipe") from None
    if recipe.example is None:
        if moves or url is not None:
            raise click.UsageError(f"{recipe.title} runs on the user's machine and has no address: leave out --url.")
        return ChosenRecipe(recipe, None)
    if url is None:
        raise click.UsageError(f"--recipe {name} needs --url, like {recipe.example}{_url_hint(recipe)}.")
    try:
        return ChosenRecipe(recipe, application_url(url))
    except ValueError as error:
        raise click.BadParameter(f"The URL {error}.", param_hint="--url") from None


def configuration_text(recipe: Recipe, *, into: str = "{into}") -> str:
    """Return the blocks of a recipe, each below a line that says where to paste it."""
    parts = [f"\n── into {into.format(into=block.into)} ──\n{block.text}" for block in recipe.blocks]
    return "\n".join([*parts, *([f"\n{recipe.then}"] if recipe.then else [])])


def print_moved(recipe: Recipe, client: ClientSettings) -> None:
    """Print the lines of a configuration that change with the URL of the application."""
    if not client.is_public:
        click.echo("The secret stays the same.", err=True)
    if not recipe.blocks:
        click.echo("The application's configuration does not contain its URL: there is nothing to paste.")
    if text := configuration_text(recipe, into="{into}, replacing the lines with the old URL"):
        click.echo(text)


def filled_fields(recipe: Recipe, url: str | None, issuer: str) -> dict[str, Any]:
    """Return a filled recipe for scripts."""
    return {"issuer": issuer, "recipe": recipe.name, "url": url, **_configuration(recipe)}


@click.command("recipes")
@click.argument("app", required=False)
@click.option("--json", "as_json", is_flag=True, help="Print JSON: an array, or one object for APP.")
def recipes(app: str | None, as_json: bool) -> None:
    """List the recipes, or show the recipe of APP.

    A recipe contains the registration of an application and its configuration. You can also pass your own recipe
    file as APP; the recipes of the bridge are examples for it.

    \b
    Examples:
        passerelle clients recipes
        passerelle clients recipes grafana
        passerelle clients add Dashboards --recipe grafana --url https://grafana.example.org
    """
    found = all_recipes() if app is None else (find_recipe(app),)
    if as_json:
        client = found[0].client.model_dump(mode="json", exclude_none=True)
        details = {**_summary(found[0]), "client": client, **_configuration(found[0])}
        print_json([_summary(recipe) for recipe in found] if app is None else details)
    elif app is not None:
        click.echo(_page(found[0]))
    else:
        width = max(len(recipe.name) for recipe in found)
        for recipe in found:
            click.echo(f"{recipe.name:{width}}  {recipe.title} ({_evidence(recipe)})")


def _summary(recipe: Recipe) -> dict[str, Any]:
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


def _configuration(recipe: Recipe) -> dict[str, Any]:
    blocks = [block.model_dump() for block in recipe.blocks]
    return {"configuration": blocks, "then": recipe.then, "tells": recipe.tells.model_dump()}


def _page(recipe: Recipe) -> str:
    lines = [f"{recipe.title}: {recipe.what}", f"{_evidence(recipe).capitalize()}. Written from:"]
    lines += [f"    {page}" for page in recipe.derived_from]
    if recipe.example is not None:
        lines += [f"--url        like {recipe.example}{_url_hint(recipe)}"]
    for name, value in recipe.client.model_dump(exclude_none=True, exclude_defaults=True).items():
        lines += [f"{name}  {' '.join(value) if isinstance(value, tuple) else yes_or_no(value)}"]
    lines += [f"{name}: {text}" for name, text in recipe.tells]
    return "\n".join([*lines, configuration_text(recipe)])


def _evidence(recipe: Recipe) -> str:
    if recipe.run_with:
        return f"tested with {recipe.run_with.version}"
    tried = recipe.tried_with
    return f"tried by hand with {tried.version}" if tried else f"untested, for {recipe.describes}"


def _url_hint(recipe: Recipe) -> str:
    return f" ({recipe.address_is})" if recipe.address_is else ""
