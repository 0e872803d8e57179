"""Output of the commands: progress and notes on standard error, results on standard output."""

import json
from collections.abc import Callable, Sequence
from typing import Any

import click


def print_rows(
    rows: Sequence[dict[str, Any]],
    as_json: bool,
    heading: Sequence[str],
    cells: Callable[[dict[str, Any]], Sequence[str]],
) -> None:
    """Print rows as JSON for scripts, or in aligned columns."""
    if as_json:
        print_json(rows)
        return
    table = [[printable(cell) or "-" for cell in row] for row in (heading, *map(cells, rows)) if row]
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    for row in table:
        click.echo("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def print_json(value: Any) -> None:
    """Print a result for scripts."""
    click.echo(json.dumps(value, indent=2))


def print_note(text: str) -> None:
    """Print a line on standard error."""
    click.echo(printable(text, keep="\n"), err=True)


def printable(text: str, keep: str = "") -> str:
    """Replace control characters, because users choose names and could send commands to the terminal."""
    return "".join(letter if letter.isprintable() or letter in keep else "?" for letter in text)
