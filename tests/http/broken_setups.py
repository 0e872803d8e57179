"""Broken setups for `passerelle check`: each function breaks one thing and returns the settings to run with."""

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
from tests.support.bridge.checked_site import PAGE, Issuer, always
from tests.support.bridge.live_bridge import free_port
from tests.support.cas.scripted_cas import VALIDATE_PATHS, Exchange

Settings = dict[str, Any]


@dataclass
class BrokenSetup:
    """A broken setup and the finding that must report it."""

    prepare: Callable[[Site], Settings]
    fault: str
    """ID of the finding."""
    words: tuple[str, ...]
    """Words in the finding."""


def cas_with_unknown_authority(site: Site) -> Settings:
    unknown = Issuer(site.folder, "Unknown Root")
    return {"cas_url": site.new_cas(tls=unknown.server("localhost", sends_issuer=True)).url}


def cas_without_intermediate(site: Site) -> Settings:
    root = Issuer(site.folder, "Known Root")
    between = Issuer(site.folder, "Forgotten Intermediate", above=root)
    return {"cas_url": site.new_cas(tls=between.server("localhost")).url, "cas_ca_file": root.ca_file}


def cas_with_other_host_name(site: Site) -> Settings:
    return {"cas_url": site.new_cas(tls=site.authority.server("sso.example.org")).url}


def cas_with_expired_certificate(site: Site) -> Settings:
    return {"cas_url": site.new_cas(tls=site.authority.server("localhost", days=(-60, -3))).url}


def cas_redirects_to_https(site: Site) -> Settings:
    plain = site.new_cas()
    plain.redirects_to = site.cas.url
    return {"cas_url": plain.url}


def service_unregistered(site: Site) -> Settings:
    cas = site.new_cas(tls=site.authority.server("localhost"))
    cas.registered = "https://another-service.example.org/"
    return {"cas_url": cas.url}


def service_unregistered_at_apereo_7(site: Site) -> Settings:
    cas = site.new_cas(tls=site.authority.server("localhost"))
    cas.registered, cas.fails_for_unknown = "https://another-service.example.org/", True
    return {"cas_url": cas.url}


def cas_without_protocol_3(site: Site) -> Settings:
    cas = site.new_cas(tls=site.authority.server("localhost"))
    cas.paths = {"/cas/serviceValidate", "/cas/validate"}
    return {"cas_url": cas.url}


def cas_clock_behind(site: Site) -> Settings:
    cas = site.new_cas(tls=site.authority.server("localhost"))
    cas.seconds_ahead = -600
    return {"cas_url": cas.url}


def cas_accepts_any_ticket(site: Site) -> Settings:
    cas = site.new_cas(tls=site.authority.server("localhost"))
    cas.script = lambda exchange: cas.reply_success(exchange, exchange.request_seen.value("service"))
    return {"cas_url": cas.url}


def cas_never_responds(site: Site) -> Settings:
    cas = site.new_cas(tls=site.authority.server("localhost"))
    cas.hangs = 60
    return {"cas_url": cas.url}


def cas_responds_slowly(site: Site) -> Settings:
    cas = site.new_cas(tls=site.authority.server("localhost"))

    def validate(exchange: Exchange) -> None:
        cas.script = None  # the first response is late
        exchange.pause(5.5)
        cas.validate(exchange)

    cas.script = validate
    return {"cas_url": cas.url}


def cas_proxy_drops_query(site: Site) -> Settings:
    cas = site.new_cas(tls=site.authority.server("localhost"))
    cas.script = lambda exchange: cas.reply_failure(exchange, "INVALID_REQUEST", "'service' and 'ticket' are required")
    return {"cas_url": cas.url}


def cas_in_maintenance(site: Site) -> Settings:
    cas = site.new_cas(tls=site.authority.server("localhost"))
    cas.blocked = {"/cas": 503}
    return {"cas_url": cas.url}


def cas_rejects_this_machine(site: Site) -> Settings:
    cas = site.new_cas(tls=site.authority.server("localhost"))
    cas.blocked = dict.fromkeys(VALIDATE_PATHS, 403)
    return {"cas_url": cas.url}


def registered_without_query(site: Site) -> Settings:
    cas = site.new_cas(tls=site.authority.server("localhost"))
    cas.is_pattern_without_query = True
    return {"cas_url": cas.url}


def registered_with_http(site: Site) -> Settings:
    cas = site.new_cas(tls=site.authority.server("localhost"))
    cas.registered = cas.registered.replace("https:", "http:")
    return {"cas_url": cas.url}


def http_at_tls_port(site: Site) -> Settings:
    return {"cas_url": site.cas.url.replace("https:", "http:")}


def other_server_at_cas_name(site: Site) -> Settings:
    router = Issuer(site.folder, "router.local")
    return {"cas_url": site.new_cas(tls=router.server("router.local", sends_issuer=True)).url}


def cas_without_tls(site: Site) -> Settings:
    return {"cas_url": site.new_front(tls=None).url.replace("http:", "https:") + "/cas"}


def internal_url_is_other_program(site: Site) -> Settings:
    other = site.new_front(tls=None, rules={"*": always(b"<!DOCTYPE html><title>Wiki</title>", **PAGE)})
    return {"cas_internal_url": f"{other.url}/cas", "cas_ca_file": ""}


def public_issuer_differs(site: Site) -> Settings:
    return {"issuer": site.new_front().url}


def public_issuer_path_differs(site: Site) -> Settings:
    document = json.dumps({"issuer": f"{site.front.url}/auth"}).encode()
    site.front.rules["/.well-known/openid-configuration"] = always(document, Content_Type="application/json")
    return {}


def public_is_other_program(site: Site) -> Settings:
    site.front.rules["*"] = always(b"<!DOCTYPE html><title>It works!</title>", **PAGE)
    return {}


def bridge_is_down(site: Site) -> Settings:
    return {"issuer": site.new_front(backend_port=free_port()).url}


def public_with_unknown_authority(site: Site) -> Settings:
    return {"issuer": site.new_front(tls=Issuer(site.folder, "Private CA").server("localhost", sends_issuer=True)).url}


def proxy_drops_query(site: Site) -> Settings:
    def without_query(exchange: Any) -> None:
        exchange.path = exchange.path.partition("?")[0]
        exchange.forward()

    site.front.rules["*"] = without_query
    return {}


def logout_blocked(site: Site) -> Settings:
    site.front.rules["/cas/logout"] = always(b"<html>Method not allowed</html>", status=405, **PAGE)
    return {}


def logout_behind_login_page(site: Site) -> Settings:
    site.front.rules["/cas/logout"] = always(b"<html>Please sign in</html>", **PAGE)
    return {}


def logout_redirected(site: Site) -> Settings:
    site.front.rules["/cas/logout"] = always(b"", status=302, Location="https://portal.example.org/login?next=x")
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
    """Return the URL of a database with one session."""
    url = f"sqlite:///{folder}/signed-in.sqlite3"
    store, now = Store(url), int(time.time())
    identity = Identity(subject="alice", username="alice", attributes=attributes)
    session = Session(
        sid="s", cookie_hash="c" * 64, identity=identity, auth_time=now, created_at=now - 90, expires_at=now + 60
    )
    store.sessions.begin(session, ticket_hash="t" * 64)
    store.close()
    return url
