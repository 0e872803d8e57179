"""Generator of docs/openid-modules.md: `python -m tests.conformance.page`. A test compares the page with the tests."""

from __future__ import annotations

import importlib
import re
from pathlib import Path
from typing import Any

from tests.conformance.modules import PLANS

PAGE = Path(__file__).parents[2] / "docs" / "openid-modules.md"
TEXT = """\
# OpenID Provider certification, module by module

The plans of the OpenID Foundation's conformance suite for a provider with the code flow. Each module has a test of the
same name in `tests/conformance`, which runs against `passerelle serve` behind TLS. Where possible, an independent
relying party verifies the responses: idpyoidc verifies every message of these tests, and openid-client
(`test_openid_client.py`) every endpoint from discovery to logout. The tests follow our reading of the modules. They are
no certification, which requires a run of the suite against a public installation.

"""
REPEATED_PLANS = {
    "oidcc-formpost-basic-certification-test-plan": (
        "The modules of the basic plan with `response_mode=form_post`: the `[form_post]` variants of its tests.\n\n"
    )
}


def named_test(module: str, file: str) -> tuple[str, Any]:
    """Return the file and the test with the module's name, which may end with requirement numbers."""
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
    """Return the page."""
    parts = [TEXT]
    for plan, file, modules in PLANS:
        parts.append(f"## {plan}\n\n")
        if plan in REPEATED_PLANS:
            parts.append(REPEATED_PLANS[plan])
            continue
        parts.append("| Module | Expected | Test | Verified by |\n|---|---|---|---|\n")
        for module in modules:
            name, test = named_test(module, file)
            expected = " ".join(test.__doc__.split())
            parts.append(f"| {module} | {expected} | `{name}` | {', '.join(test.checked_by)} |\n")
        parts.append("\n")
    return "".join(parts).rstrip("\n") + "\n"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
