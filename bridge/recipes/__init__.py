"""Recipes: how each known application is registered, and how it is configured afterwards.

A recipe is one TOML file in this package, for example `grafana.toml`, written from the application's own documentation.
This package reads recipes, checks the application's URL and renders the templates. It registers no client and stores no
secret. `passerelle clients add --recipe` and the pages in `docs/clients` both use it.
"""

from bridge.recipes.application_url import application_url
from bridge.recipes.configuration import (
    ADDRESS_FIELDS,
    client_facts,
    fill_recipe,
    fill_url_lines,
    moved_addresses,
    previous_url,
)
from bridge.recipes.loader import all_recipes, find_recipe
from bridge.recipes.model import Block, Recipe
from bridge.recipes.templates import RecipeError

__all__ = [
    "ADDRESS_FIELDS",
    "Block",
    "Recipe",
    "RecipeError",
    "all_recipes",
    "application_url",
    "client_facts",
    "fill_recipe",
    "fill_url_lines",
    "find_recipe",
    "moved_addresses",
    "previous_url",
]
