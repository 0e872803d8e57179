"""The `passerelle` command, with one module per command group.

Errors are reported in one sentence on stderr, with exit status 1, or 2 for wrong arguments; never as a traceback.
"""

import errno
import gc
import io
import os
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any, ClassVar

import click

from bridge.cli.check import check
from bridge.cli.claims import claims
from bridge.cli.clients import clients
from bridge.cli.hub import hub
from bridge.cli.init import init
from bridge.cli.keys import keys
from bridge.cli.sessions import logout_deliveries, purge, sessions
from bridge.errors import BridgeError
from bridge.log import configure_logging
from bridge.settings import CONFIG_NAME, config_file_in_use, default_config_files, load
from bridge.store import StoreFailure
from passerelle_common.click_errors import ExpectedErrorsGroup


def _describe_store_failure(error: Exception) -> str:
    reason = str(getattr(error, "orig", None) or type(error).__name__).strip().splitlines()[0]
    return f"The database rejected the operation: {reason}."


class ErrorHandlingGroup(ExpectedErrorsGroup):
    """The root group. It reports errors in one sentence on stderr, with exit status 1."""

    expected_errors: ClassVar[Mapping[type[Exception], Callable[[Any], str]]] = {
        BridgeError: str,
        StoreFailure: _describe_store_failure,
    }

    def __call__(self, *arguments: Any, **options: Any) -> Any:
        """Run the program. The collections at its end would otherwise look at all imported objects, for 0.2 s."""
        gc.freeze()
        return super().__call__(*arguments, **options)

    def main(self, *arguments: Any, **options: Any) -> Any:
        """Run the command, and report also that its output or help cannot be written."""
        if sys.stdout is None:  # closed by `>&-`: click would drop the output, and with it a secret shown only once
            _exit_unwritable(OSError(errno.EBADF, os.strerror(errno.EBADF)), done=False)
        _accept_any_text()
        words = next(iter(arguments), None) or options.get("args") or sys.argv[1:]
        try:
            "".join(words).encode()
        except UnicodeEncodeError:  # undecodable bytes, which neither the database nor the settings accept
            click.echo("Error: an argument is not UTF-8 text.", err=True)
            sys.exit(2)
        try:
            return super().main(*arguments, **options)
        except OSError as error:
            _exit_unwritable(error)

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command, and report a closed pipe, which click would ignore although changes may have been made."""
        try:
            return super().invoke(ctx)
        except BrokenPipeError as error:
            _exit_unwritable(error)


@click.group(cls=ErrorHandlingGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="passerelle", message="%(prog)s %(version)s")
def main() -> None:
    """Connect a CAS server to applications that use OAuth2 or OpenID Connect.

    Start with `passerelle init`. Settings come from PASSERELLE_* environment variables, which override one TOML file:
    the file in PASSERELLE_CONFIG, else passerelle.toml in this folder, else /etc/passerelle/passerelle.toml.

    \b
    Minimum configuration:
        PASSERELLE_ISSUER=https://auth.example.org      public URL of this bridge
        PASSERELLE_CAS_URL=https://sso.example.org/cas  base URL of CAS
        PASSERELLE_SECRET_KEY=…                         from `openssl rand -hex 32`
    """
    configure_logging("warning", cache_loggers=False)


@main.command()
def serve() -> None:
    """Run the bridge.

    When it is ready, it prints one line with its address on standard output. Logs are JSON lines on standard error.
    """
    from bridge.serve import serve_forever  # noqa: PLC0415  avoids loading the server for every other command

    files = default_config_files()
    settings = load(os.environ, files)
    file = config_file_in_use(os.environ, files)
    if file is not None:
        os.environ[CONFIG_NAME] = file  # workers read the same file, even if another one appears later
    serve_forever(settings, settings_file=file or "")


def _accept_any_text() -> None:
    """Write any character in any locale, because output can hold a secret that is shown only once.

    Files and pipes get UTF-8. A terminal shows escapes for characters that it cannot display.
    """
    if not isinstance(sys.stdout, io.TextIOWrapper):
        return
    if sys.stdout.isatty():
        sys.stdout.reconfigure(errors="backslashreplace")
    else:
        sys.stdout.reconfigure(encoding="utf-8", errors="surrogateescape")


def _exit_unwritable(error: OSError, *, done: bool = True) -> None:
    reason = error.strerror or type(error).__name__
    if error.filename:
        sentence = f"Error: cannot use {error.filename}: {reason}."
    else:
        consequence = "the command may have made its changes" if done else "nothing was changed"
        sentence = f"Error: cannot write the output: {reason}; {consequence}."
    with suppress(OSError):
        os.write(2, f"{sentence}\n".encode())
    if done and not error.filename:
        # Discard the buffer: Python would write it again at exit, and fail.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    sys.exit(1)


for command in (init, check, clients, keys, sessions, logout_deliveries, purge, claims, hub):
    main.add_command(command)
