"""`passerelle check`, the real command against real servers: each of these broken setups is named, a good one passes."""

from __future__ import annotations

import json
import os
import pty
import re
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from bridge.identity import Identity
from bridge.store import Session, SqlStore
from tests.support.actors import App, Browser, Wire
from tests.support.checked_site import PAGE, CheckedCas, Front, Issuer, says
from tests.support.live_bridge import PASSERELLE, LiveBridge, free_port

SECRET_KEY = "7c1e0b7d6a4f4e2d8c9b1a2f3e4d5c6b7a8f9e0d1c2b3a4f5e6d7c8b9a0f1e2d"
CLIENTS = [
    {"client_id": "hub", "client_secret": "hub-s3cret", "redirect_uris": ["https://hub.example.org/hub/oauth_callback"]}
]


@dataclass
class Checked:
    """What one run of the command said."""

    status: int
    stdout: str
    stderr: str

    @property
    def report(self) -> dict[str, Any]:
        return dict(json.loads(self.stdout))

    @property
    def findings(self) -> dict[str, dict[str, str]]:
        found = {one["id"]: one for one in self.report["findings"]}
        assert len(found) == len(self.report["findings"]), "one finding a name"
        return found

    def of_level(self, level: str) -> set[str]:
        return {name for name, one in self.findings.items() if one["level"] == level}


class Site:
    """A CAS server, a bridge and the proxy in front of it; tests break the parts that are theirs alone."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        self.folder, self.stack = folder, stack
        self.authority = Issuer(folder, "Institution CA")
        self.cas = stack.enter_context(CheckedCas(tls=self.authority.server("localhost")))
        self.front = stack.enter_context(Front(self.authority.server("localhost")))
        self.bridge = LiveBridge(
            folder,
            cas_url=self.cas.url,
            clients=CLIENTS,
            settings={
                "PASSERELLE_ISSUER": self.front.url,
                "PASSERELLE_SECRET_KEY": SECRET_KEY,
                "PASSERELLE_CAS_CA_FILE": str(self.authority.ca_file),
            },
        )
        self.bridge.url = self.front.url  # that is what it says when it serves
        stack.enter_context(self.bridge)
        self.front.backend_port = self.bridge.port
        self.cas.registered = f"{self.front.url}/cas/callback"

    def new_cas(self, **how: Any) -> CheckedCas:
        """Another CAS server that knows us, for one test."""
        cas = self.stack.enter_context(CheckedCas(**how))
        cas.registered = self.cas.registered
        return cas

    def new_front(self, **how: Any) -> Front:
        """Another proxy in front of the same bridge, for one test."""
        front = Front(**{"tls": self.authority.server("localhost"), "backend_port": self.bridge.port, **how})
        return self.stack.enter_context(front)

    def checks(self, *options: str, **settings: Any) -> Checked:
        given = {f"PASSERELLE_{name.upper()}": str(value) for name, value in settings.items()}
        command = [PASSERELLE, "check", "--ca-file", self.authority.ca_file, *options]
        environment = self.bridge.environment | given | {"LANG": "C.UTF-8", "COLUMNS": "100"}
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=90, check=False)
        return Checked(done.returncode, done.stdout, done.stderr)


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with ExitStack() as stack:
        yield Site(tmp_path_factory.mktemp("checked"), stack)


@pytest.fixture
def site(shared: Site, tmp_path: Path) -> Iterator[Site]:
    """With everything as it should be at the start, and what a test adds gone at its end."""
    with ExitStack() as stack:
        whole, shared.stack, shared.folder = shared.stack, stack, tmp_path
        shared.authority.folder = tmp_path
        yield shared
        shared.stack = whole
        shared.front.rules.clear()


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
    cas.accepts_everything = True
    return {"cas_url": cas.url}


def silent_cas(site: Site) -> Settings:
    cas = site.new_cas(tls=site.authority.server("localhost"))
    cas.hangs = True
    return {"cas_url": cas.url}


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
    from bridge.oauth.keys import KeyRing

    url = f"sqlite:///{site.folder}/other.sqlite3"
    store = SqlStore(url)
    KeyRing(store, SECRET_KEY, time.time).jwks()
    store.close()
    return {"database_url": url}


def no_attributes(site: Site) -> Settings:
    return {"database_url": with_session(site.folder, {"isFromNewLogin": ("true",)})}


def with_session(folder: Path, attributes: dict[str, tuple[str, ...]]) -> str:
    """A database in which somebody has signed in."""
    url = f"sqlite:///{folder}/signed-in.sqlite3"
    store, now = SqlStore(url), int(time.time())
    identity = Identity(subject="alice", username="alice", attributes=attributes)
    session = Session(
        sid="s", cookie_hash="c" * 64, identity=identity, auth_time=now, created_at=now - 90, expires_at=now + 60
    )
    store.sessions.begin(session, ticket_hash="t" * 64)
    store.close()
    return url


BROKEN = {
    "the host name of CAS does not resolve": Broken(
        lambda site: {"cas_url": "https://sso.nowhere.invalid/cas"}, "cas.name", ("sso.nowhere.invalid", "DNS")
    ),
    "CAS refuses the connection": Broken(
        lambda site: {"cas_url": f"https://localhost:{free_port()}/cas"}, "cas.port", ("refused", "PASSERELLE_CAS_URL")
    ),
    "CAS never answers": Broken(silent_cas, "cas.port", ("no answer within 8 s", "curl")),
    "CAS speaks http where https is configured": Broken(cas_without_tls_at_its_port, "cas.port", ("TLS", "https to")),
    "the certificate of CAS is of an unknown authority": Broken(
        untrusted_cas, "cas.certificate", ("'Unknown Root'", "PASSERELLE_CAS_CA_FILE", "PEM")
    ),
    "CAS leaves out its intermediate certificate": Broken(
        cas_without_intermediate, "cas.certificate", ("'Forgotten Intermediate'", "full chain")
    ),
    "the certificate of CAS is for another host": Broken(
        cas_of_another_name, "cas.certificate", ("is for sso.example.org, not for localhost",)
    ),
    "the certificate of CAS has expired": Broken(expired_cas, "cas.certificate", ("expired on", "3 days ago", "renew")),
    "the CA file is no certificate": Broken(
        lambda site: {"cas_ca_file": __file__}, "cas.ca_file", ("PEM", "BEGIN CERTIFICATE")
    ),
    "the path of CAS is wrong": Broken(
        lambda site: {"cas_url": site.cas.url.replace("/cas", "/wrong")},
        "cas.protocol",
        ("status 404", "PASSERELLE_CAS_URL=https://localhost", "/cas."),
    ),
    "http redirects to https": Broken(redirecting_cas, "cas.redirect", ("wants https", "PASSERELLE_CAS_URL=https://")),
    "our service is not registered": Broken(
        unregistered, "cas.service", ("not registered", "--message", r"/cas/callback(\?.*)?$")
    ),
    "the configured protocol is not answered, another is": Broken(
        old_cas, "cas.protocol", ("Protocol 3.0 is not answered", "PASSERELLE_CAS_PROTOCOL=2.0")
    ),
    "CAS accepts made-up tickets": Broken(credulous_cas, "cas.protocol", ("made up", "Do not run")),
    "the clock of CAS is ten minutes off": Broken(late_cas, "cas.clock", ("10 minutes behind", "time synchronisation")),
    "the internal URL leads to another program": Broken(
        internal_is_another_program, "cas.protocol", ("web page", "PASSERELLE_CAS_INTERNAL_URL")
    ),
    "the internal URL leads to a dead server": Broken(
        lambda site: {"cas_internal_url": f"http://127.0.0.1:{free_port()}/cas"},
        "cas.port",
        ("refused", "PASSERELLE_CAS_INTERNAL_URL"),
    ),
    "our public address serves another issuer": Broken(
        other_issuer, "public.issuer", ("the port differs", "PASSERELLE_ISSUER")
    ),
    "the issuer served has another path": Broken(issuer_with_another_path, "public.issuer", ("the path differs",)),
    "our public address is another program": Broken(
        public_is_another_program, "public.program", ("web page", "DNS", "proxy")
    ),
    "the bridge behind the proxy is down": Broken(bridge_is_down, "public.program", ("502", "passerelle serve")),
    "our public address cannot be reached": Broken(
        lambda site: {"issuer": f"https://localhost:{free_port()}"}, "public.port", ("refused", "--no-public")
    ),
    "our certificate is not trusted": Broken(
        public_of_unknown_authority, "public.certificate", ("'Nobody'", "--ca-file")
    ),
    "the bridge there has another database": Broken(other_database, "public.bridge", ("another database", "keys")),
    "the proxy blocks single logout": Broken(logout_blocked, "logout.reach", ("status 405", "Let POST through")),
    "single logout meets a login page": Broken(logout_behind_a_login_page, "logout.reach", ("another program",)),
    "single logout is redirected": Broken(logout_redirected, "logout.reach", ("portal.example.org/login",)),
    "CAS releases no attributes": Broken(
        no_attributes, "attributes.released", ("no attribute", "displayName", "--message")
    ),
    "the database cannot be reached": Broken(
        lambda site: {"database_url": f"postgresql://bridge:db-s3cret@127.0.0.1:{free_port()}/bridge"},
        "database",
        ("refused", "PASSERELLE_DATABASE_URL"),
    ),
    "the secret key is an example's": Broken(
        lambda site: {"secret_key": "change-me-change-me-change-me-1234"}, "secret_key", ("openssl rand -hex 32",)
    ),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_setup_is_named_with_its_remedy_and_nothing_else_is_blamed(site: Site, name: str) -> None:
    broken = BROKEN[name]
    settings = broken.how(site)
    registered = site.cas.registered
    site.cas.registered = f"{settings.get('issuer', site.front.url)}/cas/callback"

    began = time.monotonic()
    checked = site.checks("--json", **settings)
    site.cas.registered = registered

    assert checked.of_level("FAULT") == {broken.fault}, checked.stdout + checked.stderr
    assert checked.status == 1
    found = checked.findings[broken.fault]
    told = " ".join((found["seen"], found["means"], found["do"]))
    for words in broken.says:
        assert words in told
    assert found["seen"] and found["means"] and found["do"]
    assert "s3cret" not in checked.stdout + checked.stderr
    assert SECRET_KEY not in checked.stdout
    assert time.monotonic() - began < 30


def signs_in(site: Site) -> None:
    """Somebody, by the ordinary way."""
    wire = Wire(site.front.url, port=site.bridge.port)
    app = App(wire, secret="hub-s3cret")
    browser = Browser(wire)
    callback = browser.opens(app.sends()).location
    service = parse_qs(urlsplit(callback).query)["service"][0]
    ticket = site.cas.issue_ticket(service)
    app.takes_code(browser.opens(f"{service}&ticket={ticket}"))


def test_a_good_setup_has_no_fault_before_and_after_the_first_sign_in(site: Site) -> None:
    before = site.checks("--json")

    assert (before.status, before.of_level("FAULT"), before.of_level("warning")) == (0, set(), set()), before.stdout
    assert "Nobody has signed in yet" in before.findings["attributes.released"]["seen"]

    signs_in(site)
    after = site.checks("--json")

    assert (after.status, after.of_level("FAULT"), after.of_level("warning")) == (0, set(), set()), after.stdout
    assert "displayName" in after.findings["attributes.released"]["seen"]
    assert after.of_level("ok") >= {
        *("settings", "database", "secret_key", "clients"),
        *("cas.certificate", "cas.clock", "cas.protocol", "cas.service"),
        *("public.certificate", "public.issuer", "public.bridge", "logout.reach"),
        *("attributes.released", "attributes.claims"),
    }
    assert "2.0, saml1.1, 1.0" in after.findings["cas.protocol"]["seen"]


def test_nothing_is_said_to_a_server_that_is_not_trusted(site: Site) -> None:
    unknown = Issuer(site.folder, "Unknown Root")
    cas = site.new_cas(tls=unknown.server("localhost", sends_issuer=True))

    site.checks("--json", "--no-public", cas_url=cas.url)

    assert not cas.requests


def test_made_up_tickets_are_all_that_cas_is_sent_and_each_run_makes_its_own(site: Site) -> None:
    site.cas.requests.clear()
    site.checks("--no-public")
    site.checks("--no-public")

    tickets = {seen.value("ticket") for seen in site.cas.requests} - {""}
    assert len(tickets) == 2
    assert all(ticket.startswith("ST-passerelle-check-") and len(ticket) > 40 for ticket in tickets)
    assert not any("cookie" in seen.headers for seen in site.cas.requests)


def test_all_faults_of_the_settings_are_told_at_once(site: Site) -> None:
    checked = site.checks(issuer="auth.example.org", cas_url="sso/login", workers="many", secret_kee="s3cret")

    assert checked.status == 1
    for name in ("ISSUER", "CAS_URL", "WORKERS", "SECRET_KEE"):
        assert f"FAULT    settings: PASSERELLE_{name}" in checked.stdout
    assert "s3cret" not in checked.stdout


def test_the_report_reads_without_colour_and_ends_with_what_to_begin_with(site: Site) -> None:
    checked = site.checks("--no-public", **unregistered(site), secret_key="change-me-change-me-change-me-1234")

    lines = checked.stdout.splitlines()
    assert "\x1b" not in checked.stdout
    findings = [line for line in lines if re.match(r"  (ok|note|warning|FAULT) +[a-z_.]+: ", line)]
    assert len(findings) >= 9
    assert any(line.startswith("           Do: ") for line in lines)
    # What is there to be copied stands in one line, however long.
    assert all(len(line) <= 100 or "://" in line or "java.util" in line for line in lines)
    assert lines[-2:] == [
        "2 FAULTS. Begin with secret_key: Make one by `openssl rand -hex 32`. (Changing it makes the signing",
        "keys unreadable: see the documentation.)",
    ]
    assert "Our service URL is not registered yet" in checked.stdout


def test_before_the_bridge_runs_the_public_address_is_left_out(site: Site) -> None:
    checked = site.checks("--no-public", "--json", issuer="https://auth.nowhere.invalid")

    assert checked.of_level("FAULT") == {"cas.service"}
    assert "--no-public" in checked.findings["public"]["seen"]


@pytest.mark.parametrize(
    ("language", "words"),
    [("en", "Please register it as follows"), ("fr", "Merci de l'enregistrer comme suit")],
)
def test_the_message_alone_is_ready_to_be_pasted(site: Site, language: str, words: str) -> None:
    checked = site.checks("--message", "--no-public", "--language", language, **unregistered(site))

    assert checked.stdout.startswith(("Subject: ", "Objet : "))
    assert words in checked.stdout
    pattern = checked.stdout.split("       ^", 1)[1].splitlines()[0]
    assert re.fullmatch(f"^{pattern}", f"{site.front.url}/cas/callback?state=abc")
    assert not re.fullmatch(f"^{pattern}", f"{site.front.url}/cas/callback/../evil")
    assert f"{site.front.url}/cas/logout" in checked.stdout
    assert ("enregistrée" if language == "fr" else "registered yet") in checked.stdout
    service = json.loads(checked.stdout[checked.stdout.index("{") : checked.stdout.rindex("}") + 1])
    assert service["serviceId"] == f"^{pattern}"
    assert "displayName" in service["attributeReleasePolicy"]["allowedAttributes"][1]


def test_the_message_follows_the_language_of_the_terminal(site: Site) -> None:
    command = [PASSERELLE, "check", "--message", "--no-public"]
    environment = site.bridge.environment | {"LANG": "fr_FR.UTF-8"}
    environment.pop("LC_ALL", None)
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)

    assert done.stdout.startswith("Objet : ")


def test_with_the_state_in_a_cookie_one_exact_url_is_registered(site: Site) -> None:
    checked = site.checks("--json", "--no-public", cas_service_state="cookie")

    assert checked.status == 0
    assert checked.report["service_pattern"].endswith("/cas/callback$")
    asked = [seen.value("service") for seen in site.cas.requests if seen.path == "/cas/login"]
    assert f"{site.front.url}/cas/callback" in asked


@pytest.mark.parametrize("options", [["--message", "--json"], ["--language", "de"], ["--ca-file", "/nowhere"], ["x"]])
def test_wrong_usage_ends_with_status_2(site: Site, options: list[str]) -> None:
    assert site.checks(*options).status == 2


def test_the_help_teaches_what_to_do_with_it(site: Site) -> None:
    told = site.checks("--help").stdout

    for word in ("FAULT", "--no-public", "--message", "Exit status", "made-up tickets"):
        assert word in told


def test_a_terminal_is_told_what_is_waited_for(site: Site) -> None:
    cas = site.new_cas()
    cas.hangs = True
    ours, theirs = pty.openpty()
    command = [PASSERELLE, "check", "--no-public"]
    environment = site.bridge.environment | {"PASSERELLE_CAS_URL": cas.url, "PASSERELLE_CAS_CA_FILE": ""}
    subprocess.run(command, env=environment, stdout=subprocess.DEVNULL, stderr=theirs, timeout=60, check=False)
    os.close(theirs)
    told = os.read(ours, 4096).decode()
    os.close(ours)

    assert f"waiting for localhost:{cas.port}" in told
