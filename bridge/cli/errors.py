"""How a command ends when what it has to say cannot be written: a closed pipe, a full disk, no output at all."""

from __future__ import annotations

import errno
import io
import os
import sys
from contextlib import suppress
from typing import Any

import click


class ErrorHandlingGroup(click.Group):
    """The outermost group: a sentence on standard error and status 1, where Python would show a traceback."""

    def main(self, *arguments: Any, **options: Any) -> Any:
        """Also when even the help cannot be written."""
        if sys.stdout is None:  # `>&-`: click writes nothing then, and a secret that is shown once would be lost
            fail(OSError(errno.EBADF, os.strerror(errno.EBADF)), done=False)
        _write_any_text()
        words = next(iter(arguments), None) or options.get("args") or sys.argv[1:]
        if not all(map(_is_text, words)):
            click.echo("Error: a word of this command is not UTF-8 text.", err=True)
            sys.exit(2)
        try:
            return super().main(*arguments, **options)
        except OSError as error:
            fail(error)

    def invoke(self, ctx: click.Context) -> Any:
        """Before click sees a closed pipe, which it takes for a wish to be left in peace: something may be done."""
        try:
            return super().invoke(ctx)
        except BrokenPipeError as error:
            fail(error)


def _write_any_text() -> None:
    """Whatever the locale: a name that it has no letters for is no reason to lose a secret that is shown once.

    What is read by programs, TOML and JSON, is UTF-8 everywhere; what a terminal cannot show is shown as its number.
    """
    if not isinstance(sys.stdout, io.TextIOWrapper):
        return
    if sys.stdout.isatty():
        sys.stdout.reconfigure(errors="backslashreplace")
    else:
        sys.stdout.reconfigure(encoding="utf-8", errors="surrogateescape")


def _is_text(word: str) -> bool:
    """Not so for bytes that Python could not read: no database and no settings file would take them."""
    try:
        word.encode()
    except UnicodeEncodeError:
        return False
    return True


def fail(error: OSError, *, done: bool = True) -> None:
    """Say so and end."""
    reason = error.strerror or type(error).__name__
    if error.filename:
        sentence = f"Error: cannot use {error.filename}: {reason}."
    else:
        sentence = f"Error: the answer cannot be written: {reason}; "
        sentence += "what was asked for may be done all the same." if done else "nothing was done."
    with suppress(OSError):
        os.write(2, f"{sentence}\n".encode())
    if done and not error.filename:
        # What is left in the buffer goes nowhere: Python would try once more at its end, and complain.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    sys.exit(1)
