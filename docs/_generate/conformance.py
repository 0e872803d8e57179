"""Writes docs/conformance.md from the names of the tests: `make docs`. A test compares the two.

A test that covers a row has the row's number in its name or id: `test_…_row27`, `row27-…`. Cases of the CAS side are
named likewise: `…_cas23`.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from collections import defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path

HERE = Path(__file__).parents[1]
PAGE = HERE / "conformance.md"
ROWS: Mapping[str, Mapping[str, str]] = tomllib.loads((HERE / "conformance_rows.toml").read_text(encoding="utf-8"))
CASES: Mapping[str, Mapping[str, str]] = tomllib.loads((HERE / "conformance_cas.toml").read_text(encoding="utf-8"))
INTRODUCTION = """\
# Conformance

Written by `make docs` from the tests; change `docs/conformance_rows.toml` and the names of tests instead.

What RFC 9700, OAuth 2.1 (RFC 6749), OpenID Connect Core and their kin ask of a provider, as 74 rows, each with what
holds here and the tests that fail when it does not. The certification plans of the OpenID Foundation are run module
by module in `tests/conformance`: see [openid-modules.md](openid-modules.md).

| row | what holds, and what was decided | tests |
|---|---|---|"""

ABOUT_CAS = """
## The way through CAS

What is asked of a client of CAS 1.0 to 3.0 and SAML 1.1, as 25 cases. `tests/upstream` runs the journeys with real
servers: Apereo CAS and django-cas-server.

| case | what holds | tests |
|---|---|---|"""


def collected() -> list[str]:
    """The ids of all tests, as pytest names them."""
    arguments = ["-m", "pytest", "--collect-only", "-q", "-p", "no:cacheprovider", "tests"]
    done = subprocess.run(  # noqa: S603  this interpreter, and no text of anybody else
        [sys.executable, *arguments], cwd=HERE.parent, capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        raise RuntimeError(done.stdout[-2000:] + done.stderr[-2000:])
    return [line for line in done.stdout.splitlines() if line.startswith("tests/") and "::" in line]


def named_after(ids: Iterable[str], kind: str) -> dict[int, list[str]]:
    """The tests that are named after each row or case, without their parameters, in the order of the files."""
    found: dict[int, dict[str, None]] = defaultdict(dict)
    for test_id in ids:
        for number in re.findall(rf"(?<![A-Za-z]){kind}(\d+)(?!\d)", test_id):
            found[int(number)][test_id.partition("[")[0]] = None
    return {number: list(tests) for number, tests in sorted(found.items())}


def page(ids: Iterable[str]) -> str:
    """The whole page."""
    ids = list(ids)
    return "\n".join([INTRODUCTION, *_table(ids, "row", ROWS), ABOUT_CAS, *_table(ids, "cas", CASES), ""])


def _table(ids: Iterable[str], kind: str, meanings: Mapping[str, Mapping[str, str]]) -> list[str]:
    tests = named_after(ids, kind)
    return [
        f"| {number} | {_meaning(row)} | {_tests(tests.get(int(number), []))} |" for number, row in meanings.items()
    ]


def _meaning(row: Mapping[str, str]) -> str:
    return row["holds"] + (f" *{row['decision']}*" if "decision" in row else "")


def _tests(ids: Iterable[str]) -> str:
    by_file: dict[str, list[str]] = defaultdict(list)
    for test_id in ids:
        path, *_, name = test_id.split("::")
        shown = re.sub(r"(_(row|cas)\d+)+$", "", name.removeprefix("test_")).replace("_", " ")
        by_file[path.removeprefix("tests/")].append(shown)
    return "<br>".join(f"`{path}`: {'; '.join(names)}" for path, names in sorted(by_file.items()))


if __name__ == "__main__":
    PAGE.write_text(page(collected()), encoding="utf-8")
