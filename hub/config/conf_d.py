"""The site's own configuration: `*.py` files of `deployment/conf.d`, run in name order after all else."""

from __future__ import annotations

import traceback
from pathlib import Path
from typing import Any

from hub.config.field_types import SettingsError


def load_conf_d(folder: Path, config: Any) -> list[str]:
    """Run the files, each with `c`, so that they can read and override the configuration.

    Returns:
        The names of the files.

    Raises:
        SettingsError: A file raised an exception; the message has file and line.
    """
    files = sorted(folder.glob("*.py"))
    for file in files:
        names = {"c": config, "get_config": lambda: config, "__file__": str(file), "__name__": f"conf.d.{file.stem}"}
        try:
            exec(compile(file.read_text(encoding="utf-8"), str(file), "exec"), names)  # noqa: S102  the administrator's code
        except Exception as error:
            raise SettingsError(
                f"the hub cannot start: deployment/conf.d/{file.name} is wrong{_line(file, error)}: "
                f"{type(error).__name__}: {error} (correct it, or move it out of deployment/conf.d)."
            ) from error
    return [file.name for file in files]


def _line(file: Path, error: Exception) -> str:
    if isinstance(error, SyntaxError):
        return f" in line {error.lineno}"
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == str(file)]
    return f" in line {lines[-1]}" if lines else ""
