"""Where the one-shot container sees what: engine.py mounts it so."""

from __future__ import annotations

from pathlib import Path

VOLUMES, TARGET = Path("/volumes"), Path("/target")
CHECKOUT, SITE = Path("/checkout"), Path("/site")
"""SITE is there if the command was typed in another folder than the checkout itself."""
