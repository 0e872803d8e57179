"""What the recipes for Node print is a whole application each: it is run as it is printed."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
import requests

from tests.clients.application import Application
from tests.clients.at_the_bridge import sessions
from tests.clients.person import Person
from tests.clients.site import Site, site_in
from tests.support.live_bridge import free_port

FILES = {
    "node-openid-client": "app.mjs",
    "node-passport": "app.cjs",
    "node-authjs": "app.mjs of an Express application",
}

pytestmark = pytest.mark.needs("node")


@contextmanager
def running(recipe: str, site: Site, packages: Path, folder: Path, issuer: str = "") -> Iterator[str]:
    """The address of the application, until the end of the block.

    :param issuer: where it looks for the bridge, if not where that is; its developer runs it then
    """
    application = Application(folder)
    client = site.adds_client(recipe, f"--recipe={recipe}", f"--url={application.url}")
    # Beside the libraries, where Node looks for them.
    program = packages / f"{recipe}-{application.port}{Path(FILES[recipe].split()[0]).suffix}"
    text = client.configuration[FILES[recipe]].replace(site.issuer, issuer or site.issuer)
    program.write_text(text, encoding="utf-8")
    settings = dict(re.findall(r"(?m)^(\w+)=(.*)$", client.configuration.get(".env.local", "")))
    mode = "development" if issuer else "production"
    environment = {**site.trust, **settings, "PORT": str(application.port), "NODE_ENV": mode}
    with application.runs(["node", program], environment):
        yield application.url


@pytest.fixture(scope="module")
def applications(site: Site, node_packages: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """The address of each."""
    with ExitStack() as stack:
        yield {
            recipe: stack.enter_context(running(recipe, site, node_packages, tmp_path_factory.mktemp(recipe)))
            for recipe in FILES
        }


@pytest.mark.parametrize("recipe", ["node-openid-client", "node-passport"])
def test_what_the_recipe_prints_signs_somebody_in_and_out(
    recipe: str, applications: dict[str, str], site: Site, person: Person
) -> None:
    goes_in_and_out(applications[recipe], site, person)


@pytest.mark.parametrize("recipe", ["node-openid-client", "node-passport"])
def test_a_session_that_somebody_else_began_is_not_the_one_that_is_signed_in(
    recipe: str, applications: dict[str, str], person: Person
) -> None:
    """Who planted its cookie in a browser, from another host of the domain, would be that browser's user."""
    url = applications[recipe]
    page = person.opens(f"{url}/login")
    planted = person.cookie("connect.sid")
    assert planted
    assert person.types_password(page).json() is not None
    assert requests.get(url, cookies={"connect.sid": planted}, timeout=20).json() is None


def test_the_bridge_may_have_a_path_beside_other_sites_of_its_host(
    site: Site, node_packages: Path, tmp_path: Path
) -> None:
    with (
        site_in(tmp_path, path="/sign-in", beside=site.cas) as below,
        running("node-openid-client", below, node_packages, tmp_path) as url,
    ):
        goes_in_and_out(url, below, below.person())


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


def goes_in_and_out(url: str, site: Site, person: Person) -> None:
    already, user = sessions(site), site.cas.user
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


def test_an_application_may_start_before_the_bridge_and_shows_nobody_its_code(
    site: Site, node_packages: Path, tmp_path: Path
) -> None:
    nobody_there = f"https://127.0.0.1:{free_port()}"
    with running("node-openid-client", site, node_packages, tmp_path, nobody_there) as url:
        for path in ("login", "callback", "callback?code=x&state=y", "logout"):
            page = requests.get(f"{url}/{path}", timeout=20)
            assert (page.status_code, "did not work" in page.text) == (502, True), page.text
            assert "    at " not in page.text


def test_a_callback_that_is_no_answer_is_one_sentence(applications: dict[str, str], person: Person) -> None:
    url = applications["node-openid-client"]
    for query in ("", "?code=x&state=y", "?error=access_denied&state=x"):
        page = person.opens(f"{url}/callback{query}")
        assert (page.status_code, page.text.count("\n")) == (502, 0), page.text
        assert f"{url}/login" in page.text
