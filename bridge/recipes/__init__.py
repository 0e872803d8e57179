"""Recipes: how each known application is registered, and how it is configured afterwards.

A recipe is one TOML file in this package, for example `grafana.toml`, written from the application's own documentation.
This package reads recipes, checks the application's URL and renders the templates. It registers no client and stores no
secret. `passerelle clients add --recipe` and the pages in `docs/clients` both use it.
"""
