"""Output of the commands: progress and notes on standard error, results on standard output."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import click

from hub.storage.quota import format_size

PROGRESS_INTERVAL = 5.0  # seconds between two lines of progress


def follow(events: Iterable[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Print notes, and progress now and then; yield the other events."""
    printed_at = 0.0
    for event in events:
        if not (text := _progress_text(event)):
            yield event
        elif event["event"] == "note" or time.monotonic() - printed_at >= PROGRESS_INTERVAL:
            print_note(printable(text))
            printed_at = time.monotonic()


def result(events: Iterable[dict[str, Any]]) -> dict[str, Any]:
    """Show progress until the end, and return the last event's fields."""
    last: dict[str, Any] = {}
    for event in follow(events):
        last = event
    return fields_of(last)


def fields_of(event: dict[str, Any]) -> dict[str, Any]:
    """Return an event without its kind."""
    return {name: value for name, value in event.items() if name != "event"}


def print_table(rows: Sequence[Sequence[str]]) -> None:
    """Print rows in aligned columns."""
    clean = [[printable(cell) or "-" for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(*clean, strict=True)]
    for row in clean:
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


def _progress_text(event: dict[str, Any]) -> str:
    kind, what = event["event"], event.get("what", "")
    texts: dict[str, Callable[[], str]] = {
        "progress": lambda: f"{what}: {format_size(event['done'])} of {format_size(event['total'])}",
        "check": lambda: f"checking {what}",
        "database": lambda: f"database {what}",
        "note": lambda: f"note: {event['text']}",
    }
    return texts[kind]() if kind in texts else ""
