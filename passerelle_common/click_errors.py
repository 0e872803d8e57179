"""Click groups that report expected errors in one sentence on stderr and exit with status 1."""

from collections.abc import Callable, Mapping
from typing import Any, ClassVar

import click


class ExpectedErrorsGroup(click.Group):
    """A command group that reports expected exceptions as click errors instead of tracebacks."""

    expected_errors: ClassVar[Mapping[type[Exception], Callable[[Any], str]]] = {}
    """Maps exception classes to the function that describes such an error in one sentence."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; see `click.Group.invoke`."""
        try:
            return super().invoke(ctx)
        except tuple(self.expected_errors) as error:
            describe = next(text for kind, text in self.expected_errors.items() if isinstance(error, kind))
            raise click.ClickException(describe(error)) from None
