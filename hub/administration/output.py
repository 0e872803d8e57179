"""What people see of a command: progress on standard error, answers on standard output."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import click

from hub.administration.names import size

EVERY = 10.0  # seconds between two lines of progress where no terminal can redraw one


def follow(events: Iterable[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Show progress, hand on the rest."""
    shown = _Line()
    try:
        for event in events:
            if text := _progress(event):
                shown.show(text, lasting=event["event"] == "note")
            else:
                yield event
    finally:
        shown.end()


def result(events: Iterable[dict[str, Any]]) -> dict[str, Any]:
    """Show progress until the end, and return what came out."""
    last: dict[str, Any] = {}
    for event in follow(events):
        last = event
    return last


def table(rows: Sequence[Sequence[str]]) -> None:
    """Columns as wide as they need; names come from outside, and nothing in them may steer a terminal."""
    clean = [["".join(c if c.isprintable() else "?" for c in cell) or "-" for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(*clean, strict=True)]
    for row in clean:
        click.echo("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def as_json(value: Any) -> None:
    """For scripts."""
    click.echo(json.dumps(value, indent=2))


def say(text: str) -> None:
    """Beside the answer."""
    click.echo(text, err=True)


def _progress(event: dict[str, Any]) -> str:
    kind, what = event["event"], event.get("what", "")
    count = f"{event['number']} of {event['of']}: " if "number" in event else ""
    texts: dict[str, Callable[[], str]] = {
        "progress": lambda: (
            f"{what}: {size(event['done'])}" + (f" of {size(event['total'])}" if event["total"] else "")
        ),
        "measure": lambda: f"measuring {count}{what}",
        "part": lambda: f"{count}{what}",
        "check": lambda: f"checking {count}{what}",
        "database": lambda: f"database {what}",
        "room": lambda: f"up to {size(event['needed'])} to write, {size(max(event['free'], 0))} free",
        "note": lambda: f"note: {event['text']}",
    }
    return texts[kind]() if kind in texts else ""


class _Line:
    """One line that is redrawn on a terminal, and a line now and then elsewhere."""

    def __init__(self) -> None:
        self._terminal, self._width, self._shown = sys.stderr.isatty(), 0, 0.0

    def show(self, text: str, *, lasting: bool) -> None:
        text = "".join(letter if letter.isprintable() else "?" for letter in text)
        if self._terminal and not lasting:
            click.echo("\r" + text.ljust(self._width), err=True, nl=False)
            self._width = len(text)
        elif lasting or time.monotonic() - self._shown >= EVERY:
            self.end()
            click.echo(text, err=True)
            self._shown = time.monotonic()

    def end(self) -> None:
        if self._terminal and self._width:
            click.echo("\r" + " " * self._width + "\r", err=True, nl=False)
            self._width = 0
