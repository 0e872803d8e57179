"""`passerelle check` on an intact site, and its output."""

from __future__ import annotations

import json
import os
import pty
import re
import subprocess
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.http.broken_setups import service_unregistered
from tests.http.check_site import Site, shared, site
from tests.support.bridge.actors import App, Browser, Wire
from tests.support.bridge.checked_site import Issuer
from tests.support.bridge.live_bridge import PASSERELLE, free_port

__all__ = ["shared", "site"]  # fixtures


def sign_in(site: Site) -> None:
    """Sign one user in through the bridge."""
    wire = Wire(site.front.url, port=site.bridge.port)
    app = App(wire, secret="hub-s3cret")
    browser = Browser(wire)
    callback = browser.get(app.authorization_url()).location
    service = parse_qs(urlsplit(callback).query)["service"][0]
    ticket = site.cas.issue_ticket(service)
    app.extract_code(browser.get(f"{service}&ticket={ticket}"))


def test_intact_site_has_no_fault_before_and_after_sign_in(site: Site) -> None:
    before = site.run_check("--json")

    assert (before.status, before.of_level("FAULT"), before.of_level("warning")) == (0, set(), set()), before.stdout
    assert "There has been no sign-in yet" in before.findings["attributes.released"]["seen"]

    sign_in(site)
    after = site.run_check("--json")

    assert (after.status, after.of_level("FAULT"), after.of_level("warning")) == (0, set(), set()), after.stdout
    assert "displayName" in after.findings["attributes.released"]["seen"]
    assert after.of_level("ok") >= {
        *("settings", "database", "secret_key", "clients"),
        *("cas.certificate", "cas.clock", "cas.protocol", "cas.service"),
        *("public.certificate", "public.issuer", "public.bridge", "logout.reach"),
        *("attributes.released", "attributes.claims"),
    }
    assert "2.0, saml1.1, 1.0, JSON" in after.findings["cas.protocol"]["seen"]


def test_untrusted_server_receives_no_request(site: Site) -> None:
    unknown = Issuer(site.folder, "Unknown Root")
    cas = site.new_cas(tls=unknown.server("localhost", sends_issuer=True))

    site.run_check("--json", "--no-public", cas_url=cas.url)

    assert not cas.requests


def test_each_run_sends_its_own_made_up_ticket(site: Site) -> None:
    site.cas.requests.clear()
    site.run_check("--no-public")
    site.run_check("--no-public")

    tickets = {seen.value("ticket") for seen in site.cas.requests} - {""}
    assert len(tickets) == 2
    assert all(ticket.startswith("ST-passerelle-check-") and len(ticket) > 40 for ticket in tickets)
    assert not any("cookie" in seen.headers for seen in site.cas.requests)


def test_all_settings_errors_are_reported_at_once(site: Site) -> None:
    checked = site.run_check(issuer="auth.example.org", cas_url="sso/login", workers="many", secret_kee="s3cret")

    assert checked.status == 1
    for name in ("ISSUER", "CAS_URL", "WORKERS", "SECRET_KEE"):
        assert f"FAULT    settings: PASSERELLE_{name}" in checked.stdout
    assert "s3cret" not in checked.stdout
    assert site.run_check("--message", issuer="auth.example.org").stdout == ""


def test_text_report_has_no_colour_and_ends_with_summary(site: Site) -> None:
    checked = site.run_check(
        "--no-public", **service_unregistered(site), database_url=f"postgresql://u:db-s3cret@127.0.0.1:{free_port()}/x"
    )

    lines = checked.stdout.splitlines()
    assert "\x1b" not in checked.stdout
    findings = [line for line in lines if re.match(r"  (ok|note|warning|FAULT) +[a-z_.]+: ", line)]
    assert len(findings) >= 9
    assert any(line.startswith("           Do: ") for line in lines)
    # URLs and commands stay on one line, so they can be copied.
    assert [line for line in lines if len(line) > 100 and "://" not in line and "java.util" not in line] == []
    last = " ".join(checked.stdout.rpartition("\n\n")[2].split())
    assert last.startswith("2 FAULTS. Begin with database: cannot use postgresql")
    assert last.endswith("correct host, port, database, user and password.")
    assert "Our service URL is not registered: CAS" in checked.stdout


def test_no_public_option_skips_public_address(site: Site) -> None:
    checked = site.run_check("--no-public", "--json", issuer="https://auth.nowhere.invalid")

    assert checked.of_level("FAULT") == {"cas.service"}
    assert "--no-public" in checked.findings["public"]["seen"]


@pytest.mark.parametrize(
    ("language", "words"),
    [("en", "Please register it as follows"), ("fr", "Merci de bien vouloir")],
)
def test_message_option_prints_only_the_message(site: Site, language: str, words: str) -> None:
    checked = site.run_check("--message", "--no-public", "--language", language, **service_unregistered(site))

    assert checked.stdout.startswith(("Subject: ", "Objet : "))
    assert words in " ".join(checked.stdout.split())
    pattern = checked.stdout.split("       ^", 1)[1].splitlines()[0]
    assert re.fullmatch(f"^{pattern}", f"{site.front.url}/cas/callback?state=abc")
    assert not re.fullmatch(f"^{pattern}", f"{site.front.url}/cas/callback/../evil")
    assert f"{site.front.url}/cas/logout" in checked.stdout
    assert ("enregistrée" if language == "fr" else "not registered: CAS") in checked.stdout
    service = json.loads(checked.stdout[checked.stdout.index("{") : checked.stdout.rindex("}") + 1])
    assert service["serviceId"] == f"^{pattern}"
    assert "displayName" in service["attributeReleasePolicy"]["allowedAttributes"][1]


def test_message_follows_terminal_language(site: Site) -> None:
    checked = site.run("check", "--message", "--no-public", LANG="fr_FR.UTF-8", LC_ALL="")

    assert checked.stdout.startswith("Objet : ")


def test_state_in_cookie_needs_one_exact_url(site: Site) -> None:
    checked = site.run_check("--json", "--no-public", cas_service_state="cookie")

    assert (checked.status, checked.of_level("warning")) == (0, {"service_state"})
    assert r"/cas/callback(\?.*)?$" in checked.findings["service_state"]["do"]
    assert checked.report["service_pattern"].endswith("/cas/callback$")
    asked = [seen.value("service") for seen in site.cas.requests if seen.path == "/cas/login"]
    assert f"{site.front.url}/cas/callback" in asked


def test_missing_database_is_not_created(site: Site) -> None:
    checked = site.run_check("--json", "--no-public", database_url=f"sqlite:///{site.folder}/none.sqlite3")

    assert (checked.status, checked.findings["database"]["level"]) == (0, "note")
    assert "hub" in checked.findings["clients"]["seen"]
    assert not list(site.folder.glob("*.sqlite3*"))


def test_malformed_database_url_is_settings_fault(site: Site) -> None:
    checked = site.run_check(database_url="postgresql://u:db-s3cret@127.0.0.1:notaport/db")

    assert "FAULT    settings: PASSERELLE_DATABASE_URL: is invalid: the port" in checked.stdout
    assert "s3cret" not in checked.stdout + checked.stderr


def test_unreadable_database_skips_client_finding(site: Site) -> None:
    url = f"postgresql://u:db-s3cret@127.0.0.1:{free_port()}/x"
    checked = site.run_check("--json", "--no-public", database_url=url, clients="[]")

    assert checked.of_level("FAULT") == {"database"}
    assert "not checked" in checked.findings["clients"]["seen"]


@pytest.mark.parametrize("options", [["--message", "--json"], ["--language", "de"], ["--ca-file", "/nowhere"], ["x"]])
def test_wrong_options_exit_with_status_2(site: Site, options: list[str]) -> None:
    assert site.run_check(*options).status == 2


def test_help_explains_levels_and_steps(site: Site) -> None:
    text = site.run_check("--help").stdout

    for word in ("FAULT", "--no-public", "--message", "Exit status", "made-up tickets"):
        assert word in text


def test_terminal_shows_server_that_is_waited_for(site: Site) -> None:
    cas = site.new_cas()
    cas.hangs = 60
    ours, theirs = pty.openpty()
    environment = site.bridge.environment | {"PASSERELLE_CAS_URL": cas.url, "PASSERELLE_CAS_CA_FILE": ""}
    with subprocess.Popen(
        [PASSERELLE, "check", "--no-public"], env=environment, stdout=subprocess.DEVNULL, stderr=theirs
    ) as process:
        output = os.read(ours, 4096).decode()
        process.kill()
    os.close(theirs)
    os.close(ours)

    assert f"waiting for localhost:{cas.port}" in output
