"""Writes docs/openid-modules.md: `python -m tests.conformance.page`. A test compares the page with the tests."""

from __future__ import annotations

import importlib
import re
from pathlib import Path
from typing import Any

from tests.conformance.modules import PLANS

PAGE = Path(__file__).parents[2] / "docs" / "openid-modules.md"
TEXT = """\
# OpenID Provider certification, module by module

The plans of the OpenID Foundation's conformance suite that fit a provider of the code flow. Each module has a test of
its name in `tests/conformance`, run against a live `passerelle serve` behind TLS. Who looks at the answers is, where
it can be, a strict relying party of somebody else's: idpyoidc verifies every message of these tests, and openid-client
(`test_openid_client.py`) every endpoint from discovery to logout. This is our own reading of the modules and no
certificate: that takes a run of the suite itself against a public installation.

"""
AS_BEFORE = {
    "oidcc-formpost-basic-certification-test-plan": (
        "The modules of the basic plan with `response_mode=form_post`: the same tests, at their `[form_post]`.\n\n"
    )
}


def named_test(module: str, file: str) -> tuple[str, Any]:
    """The one test that has the module's name, apart from the numbers of requirements behind it: where, and itself."""
    wanted = f"test_{module.replace('-', '_')}"
    tests = {
        f"{path.name}::{name}": test
        for path in sorted(Path(__file__).parent.glob(f"{file}*.py"))
        for name, test in vars(importlib.import_module(f"tests.conformance.{path.stem}")).items()
        if re.sub(r"(_row\d+)+$", "", name) == wanted
    }
    (found,) = tests
    return found, tests[found]


def page() -> str:
    """All of it."""
    parts = [TEXT]
    for plan, file, modules in PLANS:
        parts.append(f"## {plan}\n\n")
        if plan in AS_BEFORE:
            parts.append(AS_BEFORE[plan])
            continue
        parts.append("| module | what is expected here | test | checked by |\n|---|---|---|---|\n")
        for module in modules:
            name, test = named_test(module, file)
            expected = " ".join(test.__doc__.split())
            parts.append(f"| {module} | {expected} | `{name}` | {', '.join(test.checked_by)} |\n")
        parts.append("\n")
    return "".join(parts).rstrip("\n") + "\n"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
