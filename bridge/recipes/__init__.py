"""How known applications are connected: what each one has to be registered with, and what its own settings then say.

A recipe is one TOML file in this room (`grafana.toml`), written from the application's own documentation. This room
owns those files, reads them, checks the address that an application has, and fills both in. It registers nothing and
knows no secret longer than it takes to write one configuration. `passerelle clients add --recipe` and the pages in
`docs/clients` both come from here.
"""

from bridge.recipes.addresses import application_url
from bridge.recipes.filling import Configuration, Filled, client_facts, configuration
from bridge.recipes.model import Block, Recipe
from bridge.recipes.moving import ADDRESSES, lines_with_address, moved_facts, old_address
from bridge.recipes.reading import RecipeFault, all_recipes, find_recipe

__all__ = [
    "ADDRESSES",
    "Block",
    "Configuration",
    "Filled",
    "Recipe",
    "RecipeFault",
    "all_recipes",
    "application_url",
    "client_facts",
    "configuration",
    "find_recipe",
    "lines_with_address",
    "moved_facts",
    "old_address",
]
