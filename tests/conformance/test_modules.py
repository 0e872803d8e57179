"""Consistency of docs/openid-modules.md with the tests."""

from __future__ import annotations

import json
import re
from pathlib import Path

from tests.conformance.modules import PLANS
from tests.conformance.page import PAGE, named_test, page


def test_page_matches_generator_output() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), "write it again: python -m tests.conformance.page"


def test_every_module_test_belongs_to_a_plan() -> None:
    named = {named_test(module, file)[0] for _, file, modules in PLANS for module in modules}
    written = {
        f"{file.name}::{name}"
        for file in Path(__file__).parent.glob("test_*.py")
        for name in re.findall(r"^def (test_oidcc_\w+)\(", file.read_text(encoding="utf-8"), flags=re.MULTILINE)
    }
    assert written == named


def test_package_lock_has_hashes_and_no_registry() -> None:
    text = (PAGE.parents[1] / "tests/conformance/node/package-lock.json").read_text(encoding="utf-8")
    packages = json.loads(text)["packages"]
    assert all(package["integrity"] for name, package in packages.items() if name)
    assert "resolved" not in text
