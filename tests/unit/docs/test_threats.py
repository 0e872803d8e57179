"""Consistency of the threat model with the tests that it names."""

import re

from tests.support.docker.deployment import ROOT

PAGE = ROOT / "docs" / "security" / "threats.md"


def test_named_tests_exist() -> None:
    named = re.findall(r"`([\w/]+\.py)::(test_\w+)`", PAGE.read_text(encoding="utf-8"))
    missing = [
        f"{path}::{name}"
        for path, name in named
        if not (file := ROOT / "tests" / path).is_file() or f"def {name}(" not in file.read_text(encoding="utf-8")
    ]
    assert (bool(named), missing) == (True, [])
