"""The hub with the bridge: sign-out reaches all hub sessions of a sign-in, and a recycled name no foreign account."""

from __future__ import annotations

import os
import re
import sqlite3
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from html import unescape

import pytest
import requests
from tornado.web import create_signed_value

from tests.http.logout_messages import form, message
from tests.support.bridge.live_bridge import PASSERELLE, LiveBridge
from tests.support.cas.scripted_cas import ScriptedCas
from tests.support.hub.hub_labs import configure_labs, start_lab
from tests.support.hub.hub_process import HubProcess, Visitor

SECRET = "a secret of the hub"
FORM = {"Content-Type": "application/x-www-form-urlencoded"}
DELIVERED_WITHIN = 10  # seconds


@dataclass
class Place:
    """A hub whose users sign in at a bridge."""

    hub: HubProcess
    bridge: LiveBridge
    cas: ScriptedCas

    def try_sign_in(
        self, name: str, *, number: str, cookies: dict[str, str] | None = None
    ) -> tuple[Visitor, requests.Response]:
        """Sign in a person with an employee number; return the browser and its last page."""
        self.cas.sign_in_as(name, {"groups": ["students"], "employeeNumber": [number]})
        visitor = Visitor(self.hub)
        visitor.cookies.update(cookies or {})
        return visitor, visitor.sign_in()

    def sign_in(self, name: str, cookies: dict[str, str] | None = None) -> Visitor:
        """Sign in at the hub in a new browser, or in one with the bridge's cookies of another."""
        visitor, page = self.try_sign_in(name, number=f"number of {name}", cookies=cookies)
        assert page.url == f"{self.hub.url}/hub/home", f"{page.url}: {page.text[-1500:]}\n{self.hub.log[-3000:]}"
        return visitor

    def last_ticket(self) -> str:
        """Return the ticket of the last sign-in at CAS."""
        return [request.value("ticket") for request in self.cas.requests if request.value("ticket")][-1]

    def sid(self) -> str:
        """Return the session of the last sign-in at the bridge."""
        with closing(sqlite3.connect(self.bridge.log_file.with_name("bridge.sqlite3"))) as database:
            return str(database.execute("SELECT sid FROM sessions ORDER BY rowid DESC").fetchone()[0])

    def has_lab(self, name: str) -> bool:
        """Return whether the user's lab runs."""
        question = "SELECT count(s.server_id) FROM spawners s JOIN users u ON u.id = s.user_id WHERE u.name = ?"
        with closing(sqlite3.connect(self.hub.folder / "jupyterhub.sqlite")) as database:
            return bool(database.execute(question, (name,)).fetchone()[0])

    def wait_until_signed_out(self, visitor: Visitor) -> None:
        deadline = time.monotonic() + DELIVERED_WITHIN
        while visitor.is_signed_in():
            assert time.monotonic() < deadline, self.bridge.log[-2000:] + self.hub.log[-3000:]
            time.sleep(0.1)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    folder = tmp_path_factory.mktemp("sign-out")
    hub = HubProcess(folder)
    configure_labs(hub)
    client = {
        "client_id": "jupyterhub",
        "client_secret": SECRET,
        "grant_types": ["authorization_code", "refresh_token"],
        "redirect_uris": [f"{hub.url}/hub/oauth_callback"],
        "post_logout_redirect_uris": [f"{hub.url}/hub/login"],
        "backchannel_logout_uri": f"{hub.url}/hub/backchannel_logout",
    }
    settings = {"PASSERELLE_SUBJECT_ATTRIBUTE": "employeeNumber"}
    with ScriptedCas() as cas, LiveBridge(folder, cas_url=cas.url, clients=[client], settings=settings) as bridge:
        hub.with_environment(
            {
                "AUTH_PUBLIC_URL": bridge.url,
                "AUTH_INTERNAL_URL": bridge.url,
                "OAUTH_CLIENT_SECRET_FILE": hub.write_secret("hub-secret", SECRET),
                "LAB_STOP_ON_SIGN_OUT": "yes",
            }
        )
        with hub:
            yield Place(hub, bridge, cas)


def sign_out_at_cas(place: Place, _: Visitor) -> None:
    answer = requests.post(
        f"{place.bridge.url}/cas/logout", data=form(message(place.last_ticket())), headers=FORM, timeout=10
    )
    assert answer.ok


def confirm(visitor: Visitor, page: requests.Response) -> None:
    """Confirm the sign-out on the page of the bridge."""
    assert "Sign out?" in page.text, page.text
    hidden = re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)"', page.text)
    visitor.post(
        page.url.partition("?")[0],
        data={name: unescape(value) for name, value in hidden},
        allow_redirects=False,
        timeout=10,
    )


def sign_out_at_bridge(place: Place, visitor: Visitor) -> None:
    confirm(visitor, visitor.get(f"{place.bridge.url}/logout", timeout=10))


def sign_out_at_hub(place: Place, visitor: Visitor) -> None:
    confirm(visitor, visitor.get(f"{place.hub.url}/hub/logout", timeout=10))


def end_by_command(place: Place, _: Visitor) -> None:
    command = [PASSERELLE, "sessions", "end", place.sid()]
    environment = os.environ | place.bridge.environment
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 0, done.stderr


WAYS: dict[str, Callable[[Place, Visitor], None]] = {
    "cas": sign_out_at_cas,
    "bridge": sign_out_at_bridge,
    "hub": sign_out_at_hub,
    "command": end_by_command,
}


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS.keys())
def test_sign_out_ends_every_hub_session_of_the_sign_in(place: Place, way: Callable[[Place, Visitor], None]) -> None:
    other_user = place.sign_in("olga")
    other_sign_in = place.sign_in("bob")
    bob = place.sign_in("bob")
    same_sign_in = place.sign_in("bob", {c.name: c.value or "" for c in bob.cookies if "passerelle" in c.name})
    copied_cookies = Visitor(place.hub)
    copied_cookies.cookies.update(bob.cookies)
    assert copied_cookies.is_signed_in()

    way(place, bob)

    for ended in (bob, same_sign_in, copied_cookies):
        place.wait_until_signed_out(ended)
    time.sleep(1.1)  # the hub revalidates the other sign-in, whose tokens must be valid
    assert other_sign_in.is_signed_in(), place.hub.log[-3000:]
    assert other_user.is_signed_in()


def test_last_page_says_what_is_still_open(place: Place) -> None:
    vera = place.sign_in("vera")
    page = vera.get(f"{place.hub.url}/hub/logout", timeout=10)
    hidden = re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)"', page.text)
    last = vera.post(page.url.partition("?")[0], data={name: unescape(value) for name, value in hidden}, timeout=10)
    assert last.url.startswith(f"{place.hub.url}/hub/login?state=")
    assert "Your labs are stopping" in last.text
    assert f'href="{place.bridge.url}/logout"' in last.text


def test_hub_restart_keeps_sign_ins(place: Place) -> None:
    rosa = place.sign_in("rosa")
    place.hub.stop()
    place.hub.start()
    assert rosa.is_signed_in()
    sign_out_at_cas(place, rosa)
    place.wait_until_signed_out(rosa)


def test_labs_stop_when_the_last_sign_in_ends(place: Place) -> None:
    first, token = place.sign_in("luis"), place.hub.create_token("luis")
    start_lab(place.hub, "luis", token)
    second = place.sign_in("luis")
    sign_out_at_cas(place, second)
    place.wait_until_signed_out(second)
    assert place.has_lab("luis"), "the first sign-in still uses the lab"

    first.get(f"{place.hub.url}/hub/logout", timeout=10)

    deadline = time.monotonic() + DELIVERED_WITHIN
    while place.has_lab("luis"):
        assert time.monotonic() < deadline, place.hub.log[-3000:]
        time.sleep(0.1)


def test_login_cookie_of_an_older_version_is_rejected(place: Place) -> None:
    """It names the user only, so that no sign-out could end it."""
    nora = place.sign_in("nora")
    with closing(sqlite3.connect(place.hub.folder / "jupyterhub.sqlite")) as database:
        (cookie_id,) = database.execute("SELECT cookie_id FROM users WHERE name = 'nora'").fetchone()
    secret = bytes.fromhex((place.hub.folder / "cookie_secret").read_text())
    nora.cookies.set("jupyterhub-hub-login", create_signed_value(secret, "jupyterhub-hub-login", cookie_id).decode())
    assert not nora.is_signed_in()


def test_recycled_name_does_not_open_the_old_account(place: Place) -> None:
    first, _ = place.try_sign_in("jdoe", number="1001")
    second, page = place.try_sign_in("jdoe", number="2002")
    assert page.status_code == 403
    assert "belongs to another user, who had this name" in page.text
    assert "ask the administrator of this hub" in page.text
    assert not second.is_signed_in()
    assert first.is_signed_in()


def test_recycled_name_is_free_after_removal_of_the_user(place: Place) -> None:
    first, _ = place.try_sign_in("rsmith", number="1001")
    place.hub.request("DELETE", "/users/rsmith", place.hub.token).raise_for_status()
    second, page = place.try_sign_in("rsmith", number="2002")
    assert page.url == f"{place.hub.url}/hub/home"
    assert second.is_signed_in()
    assert not first.is_signed_in()
