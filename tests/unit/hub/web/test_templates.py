"""The hub's templates, rendered with JupyterHub's namespace."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jupyterhub
import pytest
from jinja2 import ChoiceLoader, Environment, FileSystemLoader, PrefixLoader
from jupyterhub.handlers.base import BaseHandler
from jupyterhub.spawner import SpawnException

from hub.auth.oauth import SPENT
from hub.config.lab_hosts import COST
from hub.storage.quota import over_limit_message
from hub.storage.quota_hook import quota_error
from hub.web import rendering
from passerelle_common.i18n import Message

OURS = Path(__file__).parents[4] / "hub" / "web" / "templates"


@pytest.fixture
def render(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Render as JupyterHub does: our folder first, its own under `templates/`, with autoescape."""
    names = {
        "base_url": "/hub/",
        "logout_url": "/hub/logout",
        "static_url": lambda path, **_: f"/static/{path}",
        "user": None,
        "xsrf": "x",
        "message": "",
        "message_html": "",
    }
    monkeypatch.setattr(BaseHandler, "template_namespace", BaseHandler.template_namespace)
    monkeypatch.setattr(rendering, "_jupyterhub_namespace", lambda handler: names)
    signed_out = rendering.SignedOutNotice(labs_stop=False, sign_out_url="https://auth.example.org/logout")
    announcement = rendering.Announcement("Down on <b>Friday</b>")
    rendering.init_templates(announcement, "help@example.org", Message(COST), signed_out)
    theirs = FileSystemLoader(str(Path(jupyterhub.__file__).parents[4] / "share/jupyterhub/templates"))
    ours = FileSystemLoader(str(OURS))
    loader = ChoiceLoader([PrefixLoader({"templates": theirs}, "/"), ours, theirs])
    environment = Environment(autoescape=True, loader=loader)

    class Handler:
        class request:  # noqa: N801  # as tornado names it
            headers: dict[str, str] = {}  # noqa: RUF012
            query_arguments: dict[str, list[bytes]] = {}  # noqa: RUF012

    def page(name: str, language: str = "en", state: bytes = b"", **facts: Any) -> str:
        Handler.request.headers = {"Accept-Language": language}
        Handler.request.query_arguments = {"state": [state]}
        shared = BaseHandler.template_namespace.fget(Handler)
        return environment.get_template(name).render(**shared | facts)

    return page


@pytest.mark.parametrize(
    ("language", "status", "heading"),
    [
        ("en", 404, "Not Found"),
        ("fr", 404, "Page introuvable"),
        ("fr", 403, "Accès refusé"),
        ("en", 500, "Internal Server Error"),
        ("en", 599, "Internal Server Error"),
    ],
)
def test_error_without_message_has_a_heading(render: Any, language: str, status: int, heading: str) -> None:
    html = render("error.html", language, status_code=status, status_message=None, message=None, exception=None)
    assert f"<h1>{heading}</h1>" in html
    assert f"<title>{heading}</title>" in html
    assert "None" not in html
    assert "help@example.org" in html


@pytest.mark.parametrize("message", ["OAuth state missing from cookies", SPENT])
def test_expired_sign_in_links_to_start_page(render: Any, message: str) -> None:
    html = render("error.html", status_code=400, message=message, exception=None)
    assert "<h1>This sign-in has expired</h1>" in html
    assert 'href="/hub/home"' in html
    assert "OAuth" not in html


@pytest.mark.parametrize("template", ["error.html", "not_running.html"])
def test_over_quota_page_offers_cleanup_first(render: Any, template: str) -> None:
    error = quota_error(over_limit_message(3, 2), "/hub/spawn/b%22ob?opt-cleanup=yes&x")
    html = render(template, "fr", status_code=403, failed=True, exception=error, spawn_url="/hub/spawn/bob")
    assert '<a class="button first" href="/hub/spawn/b%22ob?opt-cleanup=yes&amp;x">Démarrer en mode nettoyage' in html
    assert html.count("button first") == 1


def test_spawn_error_shows_its_escaped_reason(render: Any) -> None:
    error = SpawnException("Your home <b>is</b> full.", reason="quota")
    html = render("error.html", status_code=400, message=error.message, exception=error)
    assert "Your home &lt;b&gt;is&lt;/b&gt; full." in html
    assert 'href="/hub/spawn"' in html


@pytest.mark.parametrize("name", ["error.html", "page.html"])
def test_announcement_is_escaped_on_all_pages(render: Any, name: str) -> None:
    html = render(name, status_code=404, exception=None)
    assert "Down on &lt;b&gt;Friday&lt;/b&gt;" in html
    assert "<b>Friday" not in html


def test_administration_page_shows_cost_of_shared_origin(render: Any) -> None:
    html = render("admin.html", "fr", api_page_limit=50, server_version="6")
    assert "LAB_HOST est vide" in html
    assert "react-admin-hook" in html


@pytest.mark.parametrize(
    ("language", "text"),
    [("en", "Your labs continue their computations."), ("fr", "Vos laboratoires poursuivent leurs calculs.")],
)
def test_login_page_says_what_a_sign_out_has_ended(render: Any, language: str, text: str) -> None:
    page = render("login.html", language, state=b"signed-out", login_service="CAS")
    assert text in page
    assert 'href="https://auth.example.org/logout"' in page


def test_login_page_has_no_notice_without_a_sign_out(render: Any) -> None:
    assert "signed out" not in render("login.html", state=b"other", login_service="CAS")
