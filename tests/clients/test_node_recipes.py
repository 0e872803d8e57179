"""The recipes for Node, whose configuration is a complete application."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from urllib.parse import parse_qs, quote, urlsplit

import pytest
import requests

from tests.clients.application import Application
from tests.clients.bridge_commands import sessions
from tests.clients.person import Person
from tests.clients.site import Site, running_site
from tests.support.bridge.live_bridge import free_port

FILES = {
    "node-openid-client": "app.mjs",
    "node-passport": "app.cjs",
    "node-authjs": "app.mjs of an Express application",
}

pytestmark = pytest.mark.needs("node")


@contextmanager
def running(recipe: str, site: Site, packages: Path, folder: Path, *options: str, issuer: str = "") -> Iterator[str]:
    """Run the application of a recipe until the end of the block, and yield its URL.

    Args:
        recipe: The name of the recipe.
        site: The bridge.
        packages: The folder with the libraries.
        folder: The files of the application.
        options: Options of its registration.
        issuer: Another issuer. It also selects development mode, in which Express shows errors.
    """
    application = Application(folder)
    client = site.add_client(recipe, f"--recipe={recipe}", f"--url={application.url}", *options)
    # Node finds the libraries next to the program.
    program = packages / f"{recipe}-{application.port}{Path(FILES[recipe].split()[0]).suffix}"
    text = client.configuration[FILES[recipe]].replace(site.issuer, issuer or site.issuer)
    program.write_text(text, encoding="utf-8")
    settings = dict(re.findall(r"(?m)^(\w+)=(.*)$", client.configuration.get(".env.local", "")))
    mode = "development" if issuer else "production"
    environment = {**site.trust, **settings, "PORT": str(application.port), "NODE_ENV": mode}
    with application.configure(["node", program], environment):
        yield application.url


@pytest.fixture(scope="module")
def applications(site: Site, node_packages: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """The URL of each application."""
    with ExitStack() as stack:
        yield {
            recipe: stack.enter_context(running(recipe, site, node_packages, tmp_path_factory.mktemp(recipe)))
            for recipe in FILES
        }


@pytest.mark.parametrize("recipe", ["node-openid-client", "node-passport"])
def test_node_recipe_signs_in_and_out(recipe: str, applications: dict[str, str], site: Site, person: Person) -> None:
    check_sign_in_and_out(applications[recipe], site, person)


@pytest.mark.parametrize("recipe", ["node-openid-client", "node-passport"])
def test_sign_in_regenerates_the_session(recipe: str, applications: dict[str, str], person: Person) -> None:
    """An attacker who planted a session cookie must not share the session (session fixation)."""
    url = applications[recipe]
    page = person.get(f"{url}/login")
    planted = person.cookie("connect.sid")
    assert planted
    assert person.submit_password(page).json() is not None
    assert requests.get(url, cookies={"connect.sid": planted}, timeout=20).json() is None


def test_bridge_below_a_path_works_with_node_recipes(site: Site, node_packages: Path, tmp_path: Path) -> None:
    with (
        running_site(tmp_path, path="/sign-in", cas=site.cas) as below,
        running("node-openid-client", below, node_packages, tmp_path) as url,
    ):
        check_sign_in_and_out(url, below, below.person())


def test_auth_js_recipe_signs_in_and_out(applications: dict[str, str], site: Site, person: Person) -> None:
    url, user = applications["node-authjs"], site.cas.user
    page = person.submit_password(person.submit(person.get(f"{url}/auth/signin")))
    assert page.url.rstrip("/") == url, page.text
    shown = page.json()["user"]
    assert [shown["name"], shown["email"]] == [*user.attributes["displayName"], *user.attributes["mail"]]
    assert shown["groups"] == list(user.attributes["memberOf"])

    page = person.submit(person.get(f"{url}/auth/signout"))
    assert page.json() is None


def check_sign_in_and_out(url: str, site: Site, person: Person) -> None:
    already, user = sessions(site), site.cas.user
    page = person.sign_in(f"{url}/login")
    assert page.url == f"{url}/", page.text
    shown = page.json()
    assert shown["sub"] == user.name
    assert shown["groups"] == list(user.attributes["memberOf"])
    assert [shown["email"]] == list(user.attributes["mail"])
    assert len(sessions(site) - already) == 1

    page = person.get(f"{url}/logout")
    assert (page.url, page.json()) == (f"{url}/", None)
    assert sessions(site) == already
    assert person.get(f"{url}/logout").url == f"{url}/"  # a second time, without a session
    assert person.is_at_cas(person.get(f"{url}/login"))


def test_node_application_may_start_before_the_bridge(site: Site, node_packages: Path, tmp_path: Path) -> None:
    unused_address = f"https://127.0.0.1:{free_port()}"
    with running("node-openid-client", site, node_packages, tmp_path, issuer=unused_address) as url:
        for path in ("login", "callback", "callback?code=x&state=y", "logout"):
            page = requests.get(f"{url}/{path}", timeout=20)
            assert (page.status_code, "failed" in page.text) == (502, True), page.text
            assert "    at " not in page.text


def test_invalid_callback_shows_one_sentence(applications: dict[str, str], person: Person) -> None:
    url = applications["node-openid-client"]
    for query in ("", "?code=x&state=y", "?error=access_denied&state=x"):
        page = person.get(f"{url}/callback{query}")
        assert (page.status_code, page.text.count("\n")) == (502, 0), page.text
        assert f"{url}/login" in page.text


def test_denied_sign_in_shows_page_with_retry_link(site: Site, node_packages: Path, tmp_path: Path) -> None:
    recipe = "node-passport"
    with running(recipe, site, node_packages, tmp_path, "--consent", issuer=site.issuer) as url:
        person = site.person()
        question = person.sign_in(f"{url}/login")
        denied = person.submit(question, button="deny")
        assert "error=access_denied" in " ".join(hop.headers.get("Location", "") for hop in denied.history)
        check_retry_page(denied, url, 401)
        assert person.get(url).json() is None

        again = person.submit(person.get(f"{url}/login"), button="allow")
        assert (again.url, again.json()["sub"]) == (f"{url}/", site.cas.user.name)


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("code=x&state=y", 403),
        ("code=x", 403),
        ("code=x&state=STATE", 500),
        ("code=x&code=y&state=STATE", 500),
        ("error=access_denied&state=STATE", 401),
        ("error=server_error&state=STATE", 502),
        ("error=<script>alert(1)</script>&error_description=<script>alert(1)</script>", 500),
    ],
)
def test_failed_callback_shows_page_with_retry_link(
    site: Site, node_packages: Path, developed: str, query: str, status: int
) -> None:
    person = site.person()
    location = person.get_without_redirects(f"{developed}/login").headers["Location"]
    (state,) = parse_qs(urlsplit(location).query)["state"]
    page = person.get(f"{developed}/callback?{query.replace('STATE', quote(state))}")
    check_retry_page(page, developed, status)


@pytest.fixture(scope="module")
def developed(site: Site, node_packages: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The Passport application in development mode."""
    folder = tmp_path_factory.mktemp("developed")
    with running("node-passport", site, node_packages, folder, issuer=site.issuer) as url:
        yield url


def check_retry_page(page: requests.Response, url: str, status: int) -> None:
    assert page.status_code == status, page.text
    assert page.url.startswith(f"{url}/")
    assert "failed" in page.text
    assert f'<a href="{url}/login">' in page.text
    assert "    at " not in page.text
    assert "Error" not in page.text
    assert "alert" not in page.text
