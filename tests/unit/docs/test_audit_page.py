"""Consistency of docs/audit.md with the log events of the code and their fields."""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[3]
PAGE = ROOT / "docs" / "audit.md"
LEVELS = {"debug", "info", "warning", "error", "critical", "exception", "log"}
ROW = re.compile(r"^\| `([a-z_]+)` \| ([^|]*) \| ([^|]*) \| ([^|]+) \|$", re.MULTILINE)
WRITTEN_AS = {"exc_info": "exception"}  # renamed by the formatter


def test_audit_page_lists_exactly_the_log_events() -> None:
    assert set(_on_page()) == set(_in_code())


def test_audit_page_lists_the_fields_of_events() -> None:
    assert {name: fields for name, (_, fields) in _on_page().items()} == _in_code()


def test_audit_page_levels_are_valid() -> None:
    for name, (levels, _) in _on_page().items():
        assert levels <= {"info", "warning", "error"}, name
        assert levels, name


def _on_page() -> dict[str, tuple[set[str], set[str]]]:
    rows = ROW.findall(PAGE.read_text(encoding="utf-8"))
    assert len(rows) == len({name for name, *_ in rows}), "an event is on the page twice"
    return {
        name: (set(re.split(r", | or ", levels)), set(re.findall(r"`([\w…]+)`", fields)))
        for name, levels, fields, _ in rows
    }


def _in_code() -> dict[str, set[str]]:
    found: dict[str, set[str]] = defaultdict(set)
    for path in sorted((ROOT / "bridge").rglob("*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        for function in ast.walk(tree):
            if isinstance(function, ast.FunctionDef):
                for call in _log_calls(function):
                    for name in _events(call, function):
                        found[name] |= set(_fields(call, function))
    return dict(found)


def _log_calls(function: ast.FunctionDef) -> Iterator[ast.Call]:
    for node in ast.walk(function):
        if (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Attribute)
            and node.func.attr in LEVELS
            and isinstance(node.func.value, ast.Name)
            and node.func.value.id == "log"
        ):
            yield node


def _events(call: ast.Call, function: ast.FunctionDef) -> list[str]:
    """Return the names of the event: a literal, or the literals assigned to a variable."""
    argument = call.args[1 if ast.unparse(call.func) == "log.log" else 0]
    names = [node.value for node in ast.walk(_value(argument, function)) if isinstance(node, ast.Constant)]
    events = [name for name in names if isinstance(name, str)]
    assert events, f"line {call.lineno}: this test cannot read the event of {ast.unparse(call)}"
    return events


def _fields(call: ast.Call, function: ast.FunctionDef) -> Iterator[str]:
    for keyword in call.keywords:
        if keyword.arg is not None:
            yield WRITTEN_AS.get(keyword.arg, keyword.arg)
        elif isinstance(facts := _value(keyword.value, function), ast.Dict):
            yield from (key.value for key in facts.keys if isinstance(key, ast.Constant))
        else:
            yield "…"


def _value(node: ast.expr, function: ast.FunctionDef) -> ast.expr:
    """Return the value assigned to a variable; the dictionary below a comprehension; both branches of an if."""
    if isinstance(node, ast.Name):
        given = [
            other.value
            for other in ast.walk(function)
            if isinstance(other, ast.Assign) and ast.unparse(other.targets[0]) == node.id
        ]
        node = given[0] if given else node
    if isinstance(node, ast.DictComp) and ast.unparse(iterated := node.generators[0].iter).endswith(".items()"):
        return _value(iterated.func.value, function)  # type: ignore[attr-defined]
    if isinstance(node, ast.IfExp):
        return ast.List([node.body, node.orelse], ast.Load())
    return node
