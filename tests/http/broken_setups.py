"""The ways to be broken that `passerelle check` has to name: each breaks one thing, and gives settings to run with."""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bridge.identity import Identity
from bridge.oauth.keys import KeyRing
from bridge.store import Session, Store
from tests.http.check_site import SECRET_KEY, Site
from tests.support.bridge.checked_site import PAGE, Issuer, says
from tests.support.bridge.live_bridge import free_port
from tests.support.cas.scripted_cas import VALIDATE_PATHS, Exchange

Settings = dict[str, Any]


@dataclass
class Broken:
    """One way to be broken, and what the command has to say."""

    how: Callable[[Site], Settings]
    fault: str
    """The name of the finding."""
    says: tuple[str, ...]
    """Words in what was seen, or in the remedy."""


def untrusted_cas(site: Site) -> Settings:
    unknown = Issuer(site.folder, "Unknown Root")
    return {"cas_url": site.new_cas(tls=unknown.server("localhost", sends_issuer=True)).url}


def cas_without_intermediate(site: Site) -> Settings:
    root = Issuer(site.folder, "Known Root")
    between = Issuer(site.folder, "Forgotten Intermediate", above=root)
    return {"cas_url": site.new_cas(tls=between.server("localhost")).url, "cas_ca_file": root.ca_file}


def cas_of_another_name(site: Site) -> Settings:
    return {"cas_url": site.new_cas(tls=site.authority.server("sso.example.org")).url}


def expired_cas(site: Site) -> Settings:
    return {"cas_url": site.new_cas(tls=site.authority.server("localhost", days=(-60, -3))).url}


def redirecting_cas(site: Site) -> Settings:
    plain = site.new_cas()
    plain.redirects_to = site.cas.url
    return {"cas_url": plain.url}


def unregistered(site: Site) -> Settings:
    cas = site.new_cas(tls=site.authority.server("localhost"))
    cas.registered = "https://another-service.example.org/"
    return {"cas_url": cas.url}


def unregistered_at_apereo_7(site: Site) -> Settings:
    cas = site.new_cas(tls=site.authority.server("localhost"))
    cas.registered, cas.fails_for_unknown = "https://another-service.example.org/", True
    return {"cas_url": cas.url}


def old_cas(site: Site) -> Settings:
    cas = site.new_cas(tls=site.authority.server("localhost"))
    cas.spoken = {"/cas/serviceValidate", "/cas/validate"}
    return {"cas_url": cas.url}


def late_cas(site: Site) -> Settings:
    cas = site.new_cas(tls=site.authority.server("localhost"))
    cas.seconds_ahead = -600
    return {"cas_url": cas.url}


def credulous_cas(site: Site) -> Settings:
    cas = site.new_cas(tls=site.authority.server("localhost"))
    cas.script = lambda exchange: cas.reply_success(exchange, exchange.request_seen.value("service"))
    return {"cas_url": cas.url}


def silent_cas(site: Site) -> Settings:
    cas = site.new_cas(tls=site.authority.server("localhost"))
    cas.hangs = 60
    return {"cas_url": cas.url}


def slow_cas(site: Site) -> Settings:
    cas = site.new_cas(tls=site.authority.server("localhost"))

    def validate(exchange: Exchange) -> None:
        exchange.pause(5.5)
        cas.validate(exchange)

    cas.script = validate
    return {"cas_url": cas.url}


def cas_without_its_query(site: Site) -> Settings:
    cas = site.new_cas(tls=site.authority.server("localhost"))
    cas.script = lambda exchange: cas.reply_failure(exchange, "INVALID_REQUEST", "'service' and 'ticket' are required")
    return {"cas_url": cas.url}


def cas_in_maintenance(site: Site) -> Settings:
    cas = site.new_cas(tls=site.authority.server("localhost"))
    cas.kept_out = {"/cas": 503}
    return {"cas_url": cas.url}


def cas_that_refuses_this_machine(site: Site) -> Settings:
    cas = site.new_cas(tls=site.authority.server("localhost"))
    cas.kept_out = dict.fromkeys(VALIDATE_PATHS, 403)
    return {"cas_url": cas.url}


def registered_without_query(site: Site) -> Settings:
    cas = site.new_cas(tls=site.authority.server("localhost"))
    cas.registered_bare = True
    return {"cas_url": cas.url}


def registered_with_http(site: Site) -> Settings:
    cas = site.new_cas(tls=site.authority.server("localhost"))
    cas.registered = cas.registered.replace("https:", "http:")
    return {"cas_url": cas.url}


def http_at_the_tls_port(site: Site) -> Settings:
    return {"cas_url": site.cas.url.replace("https:", "http:")}


def stranger_at_that_name(site: Site) -> Settings:
    router = Issuer(site.folder, "router.local")
    return {"cas_url": site.new_cas(tls=router.server("router.local", sends_issuer=True)).url}


def cas_without_tls_at_its_port(site: Site) -> Settings:
    return {"cas_url": site.new_front(tls=None).url.replace("http:", "https:") + "/cas"}


def internal_is_another_program(site: Site) -> Settings:
    other = site.new_front(tls=None, rules={"*": says(b"<!DOCTYPE html><title>Wiki</title>", **PAGE)})
    return {"cas_internal_url": f"{other.url}/cas", "cas_ca_file": ""}


def other_issuer(site: Site) -> Settings:
    return {"issuer": site.new_front().url}


def issuer_with_another_path(site: Site) -> Settings:
    document = json.dumps({"issuer": f"{site.front.url}/auth"}).encode()
    site.front.rules["/.well-known/openid-configuration"] = says(document, Content_Type="application/json")
    return {}


def public_is_another_program(site: Site) -> Settings:
    site.front.rules["*"] = says(b"<!DOCTYPE html><title>It works!</title>", **PAGE)
    return {}


def bridge_is_down(site: Site) -> Settings:
    return {"issuer": site.new_front(backend_port=free_port()).url}


def public_of_unknown_authority(site: Site) -> Settings:
    return {"issuer": site.new_front(tls=Issuer(site.folder, "Nobody").server("localhost", sends_issuer=True)).url}


def proxy_drops_the_query(site: Site) -> Settings:
    def without_query(passing: Any) -> None:
        passing.path = passing.path.partition("?")[0]
        passing.hand_on()

    site.front.rules["*"] = without_query
    return {}


def logout_blocked(site: Site) -> Settings:
    site.front.rules["/cas/logout"] = says(b"<html>Method not allowed</html>", status=405, **PAGE)
    return {}


def logout_behind_a_login_page(site: Site) -> Settings:
    site.front.rules["/cas/logout"] = says(b"<html>Please sign in</html>", **PAGE)
    return {}


def logout_redirected(site: Site) -> Settings:
    site.front.rules["/cas/logout"] = says(b"", status=302, Location="https://portal.example.org/login?next=x")
    return {}


def other_database(site: Site) -> Settings:
    url = f"sqlite:///{site.folder}/other.sqlite3"
    store = Store(url)
    KeyRing(store, SECRET_KEY, time.time).jwks()
    store.close()
    return {"database_url": url}


def newer_database(site: Site) -> Settings:
    url = str(other_database(site)["database_url"])
    with sqlite3.connect(url.removeprefix("sqlite:///")) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    connection.close()
    return {"database_url": url}


def no_attributes(site: Site) -> Settings:
    return {"database_url": with_session(site.folder, {"isFromNewLogin": ("true",)})}


def with_session(folder: Path, attributes: dict[str, tuple[str, ...]]) -> str:
    """A database in which somebody has signed in."""
    url = f"sqlite:///{folder}/signed-in.sqlite3"
    store, now = Store(url), int(time.time())
    identity = Identity(subject="alice", username="alice", attributes=attributes)
    session = Session(
        sid="s", cookie_hash="c" * 64, identity=identity, auth_time=now, created_at=now - 90, expires_at=now + 60
    )
    store.sessions.begin(session, ticket_hash="t" * 64)
    store.close()
    return url
