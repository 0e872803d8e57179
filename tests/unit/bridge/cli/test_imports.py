"""Modules that the command line loads."""

from __future__ import annotations

import subprocess
import sys

import pytest


@pytest.fixture(scope="module")
def loaded() -> set[str]:
    code = "import sys, bridge.cli; print(*sys.modules)"
    return set(subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split())


def test_command_line_loads_requests_only_for_check(loaded: set[str]) -> None:
    assert "requests" not in loaded


def test_command_line_loads_flask_only_for_serve(loaded: set[str]) -> None:
    assert "flask" not in loaded


def test_command_line_loads_alembic_only_for_migrations(loaded: set[str]) -> None:
    assert "alembic" not in loaded
