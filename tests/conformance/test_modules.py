"""docs/openid-modules.md is what the tests are."""

from __future__ import annotations

import re
from pathlib import Path

from tests.conformance.modules import PLANS
from tests.conformance.page import PAGE, page, named_test


def test_the_page_is_what_the_generator_writes() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), "write it again: python -m tests.conformance.page"


def test_every_test_that_has_a_modules_name_is_of_a_plan() -> None:
    named = {named_test(module, file)[0] for _, file, modules in PLANS for module in modules}
    written = {
        name
        for file in Path(__file__).parent.glob("test_*.py")
        for name in re.findall(r"^def (test_oidcc_\w+)\(", file.read_text(encoding="utf-8"), flags=re.MULTILINE)
    }
    assert written == named
