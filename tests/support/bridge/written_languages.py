"""Parsers for the languages of configurations, which return the strings that they contain."""

from __future__ import annotations

import ast
import configparser
import json
import re
import shlex
import subprocess
import tomllib
from collections.abc import Callable, Iterable, Iterator
from html.parser import HTMLParser
from typing import Any

import tree_sitter_javascript
import tree_sitter_php
import tree_sitter_ruby
import yaml
from tree_sitter import Language, Node, Parser


class NotWellFormed(Exception):  # noqa: N818  no Error suffix, like the other exceptions here
    """The text is invalid in its language."""


def texts_in(language: str, text: str) -> list[str]:
    """Return every string in a configuration.

    Raises:
        NotWellFormed: If it is invalid.
    """
    return list(_READERS[language](text))


def _of_data(data: Any) -> Iterator[str]:
    if isinstance(data, dict):
        for key, value in data.items():
            yield str(key)
            yield from _of_data(value)
    elif isinstance(data, list):
        for value in data:
            yield from _of_data(value)
    elif isinstance(data, str):
        yield data


def _python(text: str) -> Iterator[str]:
    tree = ast.parse(text)
    return (node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str))


def _ini(text: str) -> Iterator[str]:
    parser = configparser.ConfigParser(interpolation=None, strict=True)
    parser.read_string(text)
    return (value for section in parser.sections() for value in parser[section].values())


def _env(text: str) -> Iterator[str]:
    for line in text.splitlines():
        name, equals, value = line.partition("=")
        if not (equals and re.fullmatch(r"[A-Z][A-Z0-9_]*", name)):
            raise NotWellFormed(line)
        yield value


def _shell(text: str) -> Iterator[str]:
    checked = subprocess.run(["bash", "-n"], input=text, text=True, capture_output=True, check=False)
    if checked.returncode:
        raise NotWellFormed(checked.stderr)
    return iter(shlex.split(text.replace("\\\n", " ")))


def _apache(text: str) -> Iterator[str]:
    open_elements: list[str] = []
    for line in text.splitlines():
        if not line.strip() or line.strip().startswith("#"):
            continue
        if closing := re.fullmatch(r"\s*</(\w+)>", line):
            if not open_elements or open_elements.pop() != closing[1]:
                raise NotWellFormed(line)
            continue
        if section := re.fullmatch(r"\s*<(\w+)((?: .*)?)>", line):
            open_elements.append(section[1])
        words = shlex.split(section[2] if section else line)
        if not section and not re.fullmatch(r"[A-Z]\w+", words[0]):
            raise NotWellFormed(line)
        yield from words
    if open_elements:
        raise NotWellFormed(f"<{open_elements[-1]}> is not closed")


def _form(text: str) -> Iterator[str]:
    for line in text.splitlines():
        name, _, value = re.sub(r" {2,}", "\0", line, count=1).partition("\0")
        if not (name and value):
            raise NotWellFormed(line)
        yield value


class _Page(HTMLParser):
    """Collects attributes and texts; every element must be closed."""

    def __init__(self) -> None:
        super().__init__()
        self.texts: list[str] = []
        self.open_elements: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.open_elements.append(tag)
        self.texts += [value for _, value in attrs if value is not None]

    def handle_endtag(self, tag: str) -> None:
        if not self.open_elements or self.open_elements.pop() != tag:
            raise NotWellFormed(f"</{tag}> closes nothing")

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


def _html(text: str) -> list[str]:
    page = _Page()
    page.feed(text)
    page.close()
    if page.open_elements:
        raise NotWellFormed(f"<{page.open_elements[-1]}> is not closed")
    return page.texts


def _grammar(grammar: Any, prefix: str = "") -> Callable[[str], Iterator[str]]:
    parser = Parser(Language(grammar))

    def read(text: str) -> Iterator[str]:
        root = parser.parse((prefix + text).encode()).root_node
        if root.has_error:
            raise NotWellFormed(text)
        return _strings(root)

    return read


def _strings(node: Node) -> Iterator[str]:
    if node.type in ("string", "encapsed_string"):
        if node.text is not None:
            yield _unquoted(node.text.decode())
        if any(child.type == "interpolation" for child in node.children):
            raise NotWellFormed(f"{node.text!r} contains an interpolation")
    for child in node.children:
        yield from _strings(child)


def _unquoted(literal: str) -> str:
    if literal.startswith("'"):
        return re.sub(r"\\([\\'])", r"\1", literal[1:-1])
    return str(json.loads(literal.replace("\\#", "#")))


_READERS: dict[str, Callable[[str], Iterable[str]]] = {
    "python": _python,
    "json": lambda text: _of_data(json.loads(text)),
    "toml": lambda text: _of_data(tomllib.loads(text)),
    "yaml": lambda text: _of_data(yaml.safe_load(text)),
    "ini": _ini,
    "env": _env,
    "shell": _shell,
    "apache": _apache,
    "form": _form,
    "html": _html,
    "javascript": _grammar(tree_sitter_javascript.language()),
    "php": _grammar(tree_sitter_php.language_php(), "<?php\n"),
    "ruby": _grammar(tree_sitter_ruby.language()),
}
