"""Users of the demo. Their passwords are public, so the server serves *.localhost only."""

import hmac
import json
import os
from dataclasses import dataclass, field
from pathlib import Path

from cas_server.auth import AuthUser
from django.http import HttpRequest


@dataclass(frozen=True)
class Person:
    """A fictitious user as in an institution's directory."""

    login: str
    password: str
    attributes: dict[str, str | list[str]] = field(repr=False)

    @property
    def groups(self) -> str:
        """The groups, for the login page."""
        return ", ".join(self.attributes["groups"])


def person(login: str, given: str, family: str, *, groups: list[str], affiliation: str) -> Person:
    """Return a user with the attributes that CAS servers usually release."""
    return Person(
        login=login,
        password=f"{login}-demo",
        attributes={
            "mail": f"{login}@example.org",
            "displayName": f"{given} {family}",
            "givenName": given,
            "sn": family,
            "groups": groups,
            "eduPersonAffiliation": [affiliation, "member"],
        },
    )


PEOPLE = {
    one.login: one
    for one in (
        person("alice", "Alice", "Müller", groups=["staff", "jupyter-admins"], affiliation="staff"),
        person("bob", "Bob", "O'Neil", groups=["students"], affiliation="student"),
    )
}
# Users for load tests: student01, student02, … with the passwords student01-demo, …
CLASS_MAX = 500
STUDENTS = min(int(os.environ.get("DEMO_STUDENTS") or 0), CLASS_MAX)
USERS = PEOPLE | {
    one.login: one
    for number in range(1, STUDENTS + 1)
    for one in [person(f"student{number:02}", "Student", f"No {number}", groups=["students"], affiliation="student")]
}


class DemoUser(AuthUser):
    """The user backend of django-cas-server."""

    def test_password(self, password: str) -> bool:
        """Return whether this is the user's password."""
        person = USERS.get(self.username)
        return person is not None and hmac.compare_digest(person.password.encode(), password.encode())

    def attributs(self) -> dict[str, str | list[str]]:  # the library's spelling
        """Return the released attributes."""
        person = USERS.get(self.username)
        return {**person.attributes, **group_overrides(self.username)} if person else {}


def group_overrides(login: str) -> dict[str, list[str]]:
    """Return group overrides from groups.json in CAS_DATA_DIR ({"bob": ["alumni"]}), to try changed groups."""
    try:
        changed = json.loads((Path(os.environ["CAS_DATA_DIR"]) / "groups.json").read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    return {"groups": changed[login]} if login in changed else {}


def demo_users(_request: HttpRequest) -> dict[str, list[Person]]:
    """Add the users to the context of the login page."""
    return {"demo_users": list(PEOPLE.values())}
