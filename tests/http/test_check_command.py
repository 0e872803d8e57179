"""`passerelle check` on a site that is well, and how it says what it says."""

from __future__ import annotations

import json
import os
import pty
import re
import subprocess
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.http.broken_setups import unregistered
from tests.http.check_site import Site, shared, site
from tests.support.bridge.actors import App, Browser, Wire
from tests.support.bridge.checked_site import Issuer
from tests.support.bridge.live_bridge import PASSERELLE, free_port

__all__ = ["shared", "site"]  # fixtures


def signs_in(site: Site) -> None:
    """Somebody, by the ordinary way."""
    wire = Wire(site.front.url, port=site.bridge.port)
    app = App(wire, secret="hub-s3cret")
    browser = Browser(wire)
    callback = browser.get(app.authorization_url()).location
    service = parse_qs(urlsplit(callback).query)["service"][0]
    ticket = site.cas.issue_ticket(service)
    app.extract_code(browser.get(f"{service}&ticket={ticket}"))


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
    assert "2.0, saml1.1, 1.0, JSON" in after.findings["cas.protocol"]["seen"]


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
    assert site.checks("--message", issuer="auth.example.org").stdout == ""


def test_the_report_reads_without_colour_and_ends_with_what_to_begin_with(site: Site) -> None:
    checked = site.checks(
        "--no-public", **unregistered(site), database_url=f"postgresql://u:db-s3cret@127.0.0.1:{free_port()}/x"
    )

    lines = checked.stdout.splitlines()
    assert "\x1b" not in checked.stdout
    findings = [line for line in lines if re.match(r"  (ok|note|warning|FAULT) +[a-z_.]+: ", line)]
    assert len(findings) >= 9
    assert any(line.startswith("           Do: ") for line in lines)
    # What is there to be copied stands in one line, however long.
    assert [line for line in lines if len(line) > 100 and "://" not in line and "java.util" not in line] == []
    last = " ".join(checked.stdout.rpartition("\n\n")[2].split())
    assert last.startswith("2 FAULTS. Begin with database: cannot use postgresql")
    assert last.endswith("correct host, port, database, user and password.")
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

    assert (checked.status, checked.of_level("warning")) == (0, {"service_state"})
    assert r"/cas/callback(\?.*)?$" in checked.findings["service_state"]["do"]
    assert checked.report["service_pattern"].endswith("/cas/callback$")
    asked = [seen.value("service") for seen in site.cas.requests if seen.path == "/cas/login"]
    assert f"{site.front.url}/cas/callback" in asked


def test_nothing_is_made_where_there_is_no_database_yet(site: Site) -> None:
    checked = site.checks("--json", "--no-public", database_url=f"sqlite:///{site.folder}/none.sqlite3")

    assert (checked.status, checked.findings["database"]["level"]) == (0, "note")
    assert "hub" in checked.findings["clients"]["seen"]
    assert not list(site.folder.glob("*.sqlite3*"))


def test_a_database_url_that_is_none_is_a_fault_of_the_settings_at_once(site: Site) -> None:
    checked = site.checks(database_url="postgresql://u:db-s3cret@127.0.0.1:notaport/db")

    assert "FAULT    settings: PASSERELLE_DATABASE_URL: names no server" in checked.stdout
    assert "s3cret" not in checked.stdout + checked.stderr


def test_an_unread_database_does_not_mean_that_no_client_is_registered(site: Site) -> None:
    url = f"postgresql://u:db-s3cret@127.0.0.1:{free_port()}/x"
    checked = site.checks("--json", "--no-public", database_url=url, clients="[]")

    assert checked.of_level("FAULT") == {"database"}
    assert "left out" in checked.findings["clients"]["seen"]


@pytest.mark.parametrize("options", [["--message", "--json"], ["--language", "de"], ["--ca-file", "/nowhere"], ["x"]])
def test_wrong_usage_ends_with_status_2(site: Site, options: list[str]) -> None:
    assert site.checks(*options).status == 2


def test_the_help_teaches_what_to_do_with_it(site: Site) -> None:
    told = site.checks("--help").stdout

    for word in ("FAULT", "--no-public", "--message", "Exit status", "made-up tickets"):
        assert word in told


def test_a_terminal_is_told_what_is_waited_for(site: Site) -> None:
    cas = site.new_cas()
    cas.hangs = 2.5
    ours, theirs = pty.openpty()
    command = [PASSERELLE, "check", "--no-public"]
    environment = site.bridge.environment | {"PASSERELLE_CAS_URL": cas.url, "PASSERELLE_CAS_CA_FILE": ""}
    subprocess.run(command, env=environment, stdout=subprocess.DEVNULL, stderr=theirs, timeout=60, check=False)
    os.close(theirs)
    told = os.read(ours, 4096).decode()
    os.close(ours)

    assert f"waiting for localhost:{cas.port}" in told
