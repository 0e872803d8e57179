"""Modules that the command line loads."""

from __future__ import annotations

import subprocess
import sys


def test_command_line_loads_requests_only_for_check() -> None:
    code = "import sys, bridge.cli; sys.exit('requests' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
