"""HTML forms, parsed as a browser parses them."""

from __future__ import annotations

from dataclasses import dataclass, field
from html.parser import HTMLParser


@dataclass
class Form:
    """A form: its action, its fields, and its buttons as (name, value)."""

    action: str
    method: str
    fields: dict[str, str] = field(default_factory=dict)
    buttons: list[tuple[str, str]] = field(default_factory=list)


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.forms: list[Form] = []
        self.tags: list[tuple[str, dict[str, str]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        self.tags.append((tag, given))
        if tag == "form":
            self.forms.append(Form(given.get("action", ""), given.get("method", "get")))
        elif (
            tag == "input" and self.forms and "name" in given
        ):  # some pages of CAS servers have inputs outside of forms
            self.forms[-1].fields[given["name"]] = given.get("value", "")
        elif tag == "button" and self.forms:
            self.forms[-1].buttons.append((given.get("name", ""), given.get("value", "")))


def parse_forms(page: str) -> list[Form]:
    """Return the forms of a page in document order."""
    reader = _Reader()
    reader.feed(page)
    return reader.forms


def find_form(page: str, path: str) -> Form:
    """Return the first form with this action."""
    return next(form for form in parse_forms(page) if form.action == path)


def parse_tags(page: str) -> list[tuple[str, dict[str, str]]]:
    """Return every element of a page with its attributes, to detect injected markup."""
    reader = _Reader()
    reader.feed(page)
    return reader.tags
