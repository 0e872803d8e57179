"""Command groups that report expected errors as one sentence on standard error and exit with status 1."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, ClassVar

import click


@contextmanager
def as_click_error(*expected: type[Exception]) -> Iterator[None]:
    """Report expected exceptions as a click error.

    Args:
        *expected: Exception classes whose text is written for the person at the terminal.

    Raises:
        click.ClickException: With the text of the exception.
    """
    try:
        yield
    except expected as error:
        raise click.ClickException(str(error)) from None


class ExpectedErrorsGroup(click.Group):
    """A command group that reports the exceptions in `expected_errors` as click errors."""

    expected_errors: ClassVar[tuple[type[Exception], ...]] = ()

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; see `click.Group.invoke`."""
        with as_click_error(*self.expected_errors):
            return super().invoke(ctx)
