"""What the recipes for Node print is a whole application each: it is run as it is printed."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.clients.application import Application
from tests.clients.at_the_bridge import sessions
from tests.clients.person import Person
from tests.clients.site import Site

FILES = {
    "node-openid-client": "app.mjs",
    "node-passport": "app.cjs",
    "node-authjs": "app.mjs of an Express application",
}

pytestmark = pytest.mark.needs("node")


@pytest.fixture(scope="module")
def applications(site: Site, node_packages: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """The address of each."""
    with ExitStack() as stack:
        started = {}
        for recipe, file in FILES.items():
            application = Application(tmp_path_factory.mktemp(recipe))
            client = site.adds_client(recipe, f"--recipe={recipe}", f"--url={application.url}")
            program = node_packages / f"{recipe}{Path(file.split()[0]).suffix}"
            program.write_text(client.configuration[file], encoding="utf-8")
            settings = dict(re.findall(r"(?m)^(\w+)=(.*)$", client.configuration.get(".env.local", "")))
            environment = {**site.trust, **settings, "PORT": str(application.port), "NODE_ENV": "production"}
            stack.enter_context(application.runs(["node", program], environment))
            started[recipe] = application.url
        yield started


@pytest.mark.parametrize("recipe", ["node-openid-client", "node-passport"])
def test_what_the_recipe_prints_signs_somebody_in_and_out(
    recipe: str, applications: dict[str, str], site: Site, person: Person
) -> None:
    url, already, user = applications[recipe], sessions(site), site.cas.user
    page = person.signs_in(f"{url}/login")
    assert page.url == f"{url}/", page.text
    shown = page.json()
    assert shown["sub"] == user.name
    assert shown["groups"] == list(user.attributes["memberOf"])
    assert [shown["email"]] == list(user.attributes["mail"])
    assert len(sessions(site) - already) == 1

    page = person.opens(f"{url}/logout")
    assert (page.url, page.json()) == (f"{url}/", None)
    assert sessions(site) == already
    assert person.is_at_cas(person.opens(f"{url}/login"))


def test_what_the_recipe_for_auth_js_prints_signs_somebody_in_and_out(
    applications: dict[str, str], site: Site, person: Person
) -> None:
    url, user = applications["node-authjs"], site.cas.user
    page = person.types_password(person.submits(person.opens(f"{url}/auth/signin")))
    assert page.url.rstrip("/") == url, page.text
    shown = page.json()["user"]
    assert [shown["name"], shown["email"]] == [*user.attributes["displayName"], *user.attributes["mail"]]
    assert shown["groups"] == list(user.attributes["memberOf"])

    page = person.submits(person.opens(f"{url}/auth/signout"))
    assert page.json() is None
