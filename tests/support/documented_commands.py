"""The commands on a page: lines of its shell blocks, and commands of this project inside sentences.

Lines are split like a shell does: pipes, lists, redirections, here-documents, comments and continuations. Placeholders
(`…`, `[FOLDER]`) stay as written. A command inside a sentence may be incomplete, so it gets a `…` at its end.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from markdown_it import MarkdownIt
from markdown_it.token import Token

SHELL = {"sh", "bash", "shell", "console"}
OURS = re.compile(r"(\.venv/bin/)?(passerelle|docker compose|make) ")
SEPARATORS = {";", "&&", "||", "|", "&", "(", ")"}
ASSIGNMENT = re.compile(r"[A-Za-z_]\w*=")
HERE_DOCUMENT = re.compile(r"<<-?\s*['\"]?(\w+)['\"]?")


@dataclass(frozen=True)
class DocumentedCommand:
    """A command without variable assignments and redirections."""

    page: Path
    line: int
    words: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.page}:{self.line}: {shlex.join(self.words)}"


def commands_of(page: Path) -> Iterator[DocumentedCommand]:
    """Return all commands of a page."""
    for line, text in _texts(MarkdownIt().parse(page.read_text(encoding="utf-8"))):
        for words in simple_commands(text):
            yield DocumentedCommand(page, line, tuple(words))


def _texts(tokens: list[Token]) -> Iterator[tuple[int, str]]:
    for token in tokens:
        line = token.map[0] + 1 if token.map else 0
        language = token.info.partition(" ")[0]
        if token.type == "fence" and language in SHELL:
            yield line, re.sub(r"^\$ ", "", token.content, flags=re.MULTILINE)
        elif token.type == "fence" and language == "text":  # a list of commands, each with its purpose
            rows = (re.split(r" {2,}", row)[0] for row in token.content.splitlines() if OURS.match(row))
            yield from ((line, f"{row} …") for row in rows)
        elif token.type == "inline":
            codes = (child.content for child in token.children or () if child.type == "code_inline")
            yield from ((line, f"{code} …") for code in codes if OURS.match(code))


def simple_commands(text: str) -> Iterator[list[str]]:
    """Return the words of each command that a shell would start."""
    for line in _whole_lines(text):
        found: list[str] = []
        words = iter(_words(line))
        for word in words:
            if word in SEPARATORS:
                yield from _without_variables(found)
                found = []
            elif set(word) <= set("<>"):
                if found and found[-1].isdigit():  # the number of `2>`
                    found.pop()
                next(words, None)
            else:
                found.append(word)
        yield from _without_variables(found)


def _without_variables(words: list[str]) -> Iterator[list[str]]:
    while words and (ASSIGNMENT.match(words[0]) or words[0] in {"sudo", "exec", "time"}):
        words = words[1:]
    if words:
        yield words


def _words(line: str) -> list[str]:
    lexer = shlex.shlex(line, posix=True, punctuation_chars=";&|()<>")
    lexer.whitespace_split = True
    return list(lexer)


def _whole_lines(text: str) -> Iterator[str]:
    """Join continued lines; drop here-documents."""
    lines = iter(text.splitlines())
    for line in lines:
        whole = line
        while not _is_whole(whole):
            more = next(lines, None)
            if more is None:
                raise ValueError(f"unfinished line: {whole}")
            whole = f"{whole.removesuffix(chr(92))}\n{more}"
        if ends := HERE_DOCUMENT.search(whole):
            whole = HERE_DOCUMENT.sub("", whole)
            while next(lines, ends[1]).strip() != ends[1]:
                pass
        yield whole


def _is_whole(line: str) -> bool:
    if line.endswith("\\"):
        return False
    try:
        _words(line)
    except ValueError:  # an unclosed quotation
        return False
    return True
