"""The demo's users. Their passwords are public, which is why this server serves *.localhost only."""

import hmac
import json
import os
from dataclasses import dataclass, field
from pathlib import Path

from cas_server.auth import AuthUser
from django.http import HttpRequest


@dataclass(frozen=True)
class Person:
    """Someone invented, as an institution's directory would describe them."""

    login: str
    password: str
    attributes: dict[str, str | list[str]] = field(repr=False)

    @property
    def groups(self) -> str:
        """For the login page."""
        return ", ".join(self.attributes["groups"])


def person(login: str, given: str, family: str, *, groups: list[str], affiliation: str) -> Person:
    """A person with the attributes that CAS servers usually release."""
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
# A class to try a crowd with: student01, student02, … with the passwords student01-demo, …
CLASS_MAX = 500
STUDENTS = min(int(os.environ.get("DEMO_STUDENTS") or 0), CLASS_MAX)
EVERYBODY = PEOPLE | {
    one.login: one
    for number in range(1, STUDENTS + 1)
    for one in [person(f"student{number:02}", "Student", f"No {number}", groups=["students"], affiliation="student")]
}


class DemoUser(AuthUser):
    """What django-cas-server asks of a source of users."""

    def test_password(self, password: str) -> bool:
        """Whether this is the person's password."""
        someone = EVERYBODY.get(self.username)
        return someone is not None and hmac.compare_digest(someone.password.encode(), password.encode())

    def attributs(self) -> dict[str, str | list[str]]:  # the library's spelling
        """What is released about the person."""
        someone = EVERYBODY.get(self.username)
        return {**someone.attributes, **groups_of_today(self.username)} if someone else {}


def groups_of_today(login: str) -> dict[str, list[str]]:
    """What groups.json in CAS_DATA_DIR says instead ({"bob": ["alumni"]}): to see what happens when groups change."""
    try:
        changed = json.loads((Path(os.environ["CAS_DATA_DIR"]) / "groups.json").read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    return {"groups": changed[login]} if login in changed else {}


def demo_users(_request: HttpRequest) -> dict[str, list[Person]]:
    """Let the pages show who can sign in."""
    return {"demo_users": list(PEOPLE.values())}
