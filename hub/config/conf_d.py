"""A site's own configuration: every `*.py` of `deployment/conf.d`, in the order of their names, after everything else."""

from __future__ import annotations

import traceback
from pathlib import Path
from typing import Any

from hub.config.settings import SettingsError


def read_site(folder: Path, config: Any) -> list[str]:
    """Run the files, each with `c`: what was decided before can be read and replaced. Their names are returned.

    :raises SettingsError: with file and line, in one sentence
    """
    files = sorted(folder.glob("*.py"))
    for file in files:
        names = {"c": config, "get_config": lambda: config, "__file__": str(file), "__name__": f"conf.d.{file.stem}"}
        try:
            exec(compile(file.read_text(encoding="utf-8"), str(file), "exec"), names)  # noqa: S102  the site's own words
        except Exception as error:
            raise SettingsError(
                f"the hub cannot start, deployment/conf.d/{file.name} is wrong{_place(file, error)}: "
                f"{type(error).__name__}: {error} (mend it, or move it out of deployment/conf.d)."
            ) from error
    return [file.name for file in files]


def _place(file: Path, error: Exception) -> str:
    if isinstance(error, SyntaxError):
        return f" in line {error.lineno}"
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == str(file)]
    return f" in line {lines[-1]}" if lines else ""
