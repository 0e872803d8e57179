"""`passerelle check` on the applications that want to hear of sign-outs: who could not be told, and why."""

from __future__ import annotations

import contextlib
import json
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from bridge.check.probe import Place, reach
from bridge.cli import main
from bridge.connection import NoResponse, post_form
from tests.http.check_site import CLIENTS, Checked, Site, shared, site
from tests.support.bridge.certificate_authority import CertificateAuthority
from tests.support.bridge.checked_site import Issuer
from tests.support.bridge.live_bridge import free_port
from tests.support.cas.logout_receiver import LogoutReceiver

__all__ = ["shared", "site"]  # fixtures

ABOUT = "logout.application"


def application(name: str, address: str) -> dict[str, Any]:
    return {"client_id": name, "redirect_uris": [f"https://{name}.example.org/cb"], "backchannel_logout_uri": address}


def checked(site: Site, **addresses: str) -> Checked:
    clients = [*CLIENTS, *(application(name, address) for name, address in addresses.items())]
    return site.checks("--json", "--no-public", clients=json.dumps(clients))


def told(run: Checked) -> list[dict[str, str]]:
    return [found for found in run.report["findings"] if found["id"] == ABOUT]


@contextmanager
def listening() -> Iterator[tuple[int, list[bytes]]]:
    """A port that says nothing, and what came over each connection to it."""
    heard: list[bytes] = []
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen(16)

        def hear(connection: socket.socket, number: int) -> None:
            with connection, contextlib.suppress(OSError):
                while data := connection.recv(4096):
                    heard[number] += data

        def accept() -> None:
            with contextlib.suppress(OSError):
                while True:
                    connection = server.accept()[0]
                    heard.append(b"")
                    threading.Thread(target=hear, args=(connection, len(heard) - 1), daemon=True).start()

        threading.Thread(target=accept, daemon=True).start()
        yield server.getsockname()[1], heard
        server.shutdown(socket.SHUT_RDWR)


def hears(heard: list[bytes], *connections: bytes) -> None:
    """Nothing else, once our own thread has come round to it."""
    give_up = time.monotonic() + 5
    while len(heard) < len(connections) and time.monotonic() < give_up:
        time.sleep(0.02)
    assert heard == list(connections)


def trusts(site: Site, monkeypatch: pytest.MonkeyPatch, ca_file: Path) -> None:
    """As the bridge is told whom to trust where it delivers."""
    monkeypatch.setitem(site.bridge.environment, "SSL_CERT_FILE", str(ca_file))


def test_an_address_that_nothing_answers_is_a_warning_with_its_application_and_what_will_happen(site: Site) -> None:
    port = free_port()
    run = checked(site, wiki=f"http://localhost:{port}/logout")

    (found,) = told(run)
    assert (run.status, found["level"], found["to_cas"]) == (0, "warning", None)
    assert found["seen"].startswith("wiki cannot be told that somebody signed out: ")
    assert f"localhost:{port}" in found["seen"]
    assert "Connection refused" in found["seen"]
    assert "stays signed in there" in found["means"]
    assert "backchannel_logout_uri of wiki in the settings" in found["do"]


def test_a_host_name_that_nobody_knows_is_named(site: Site) -> None:
    (found,) = told(checked(site, wiki="https://wiki.nowhere.invalid/logout"))
    assert found["level"] == "warning"
    assert "the host name wiki.nowhere.invalid is not known to this machine" in found["seen"]
    assert "DNS" in found["do"]


@pytest.mark.parametrize(
    ("host", "days", "says"),
    [
        ("localhost", (-60, 60), "comes from the authority 'Private Root'"),
        ("localhost", (-60, -3), "expired on"),
        ("router.local", (-60, 60), "is for router.local, not for localhost"),
    ],
    ids=["private", "expired", "stranger"],
)
def test_a_certificate_that_a_delivery_would_not_trust_is_a_warning(
    site: Site, monkeypatch: pytest.MonkeyPatch, host: str, days: tuple[int, int], says: str
) -> None:
    private = Issuer(site.folder, "Private Root")
    if "authority" not in says:
        trusts(site, monkeypatch, private.ca_file)
    with LogoutReceiver(tls=private.server(host, days=days, sends_issuer=True)) as receiver:
        (found,) = told(checked(site, wiki=receiver.url.replace("127.0.0.1", "localhost")))
        assert found["level"] == "warning"
        assert says in found["seen"]
        assert "stays signed in there" in found["means"]
        assert "sign in." not in found["means"]
        assert ("SSL_CERT_FILE" in found["do"]) is ("authority" in says)
        assert receiver.told == []


def test_the_authorities_of_cas_are_not_those_of_a_delivery(site: Site) -> None:
    """They are not asked when a logout token is delivered, so they count for nothing here."""
    with LogoutReceiver(tls=site.authority.server("localhost")) as receiver:
        (found,) = told(checked(site, wiki=receiver.url.replace("127.0.0.1", "localhost")))
    assert found["level"] == "warning"
    assert "Institution CA" in found["seen"]


def test_whom_ssl_cert_file_names_is_trusted_and_told_nothing(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    private = CertificateAuthority(site.folder)
    trusts(site, monkeypatch, private.ca_file)
    files = private.issue("localhost")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(files.certificate, files.key)
    with LogoutReceiver(tls=context) as secure, listening() as (port, heard):
        address = secure.url.replace("127.0.0.1", "localhost")
        run = checked(site, wiki=address, blog=address, forum=f"http://127.0.0.1:{port}/out")
        assert secure.told == []
        hears(heard, b"")
    (found,) = told(run)
    assert found["level"] == "ok"
    assert "wiki, blog, forum" in found["seen"]


def test_an_application_that_says_nothing_keeps_the_check_no_longer_than_a_delivery(site: Site) -> None:
    """All of them at once, and each of the places once."""
    with ExitStack() as stack:
        ports = [stack.enter_context(listening())[0] for _ in range(6)]
        addresses = {f"app-{number}": f"https://127.0.0.1:{port}/" for number, port in enumerate(ports)}
        began = time.monotonic()
        run = checked(site, **addresses, again=f"https://127.0.0.1:{ports[0]}/other")
        took = time.monotonic() - began
    assert {found["level"] for found in told(run)} == {"warning"}
    assert [found["seen"].partition(" ")[0] for found in told(run)] == [*addresses, "again"]
    assert all("no answer within 5 s" in found["seen"] for found in told(run))
    assert took < 20  # of which the start of the command is a few, on a busy machine


def test_without_such_an_address_nothing_is_said_of_it(site: Site) -> None:
    assert told(site.checks("--json", "--no-public")) == []
    assert "Applications" not in site.checks("--no-public").stdout


def test_the_message_to_cas_needs_no_application(site: Site) -> None:
    with listening() as (port, heard):
        clients = json.dumps([application("wiki", f"http://127.0.0.1:{port}/")])
        assert site.checks("--message", clients=clients).status == 0
        hears(heard)
        site.checks("--no-public", clients=clients)
        hears(heard, b"")


def test_who_is_disabled_is_not_asked_and_who_is_managed_is_corrected_by_command(site: Site) -> None:
    environment = site.bridge.environment | {"PASSERELLE_DATABASE_URL": f"sqlite:///{site.folder}/managed.sqlite3"}
    for name in ("wiki", "gone"):
        words = ["clients", "add", name, "--id", name, "--redirect-uri", f"https://{name}.example.org/cb"]
        address = ["--backchannel-logout-uri", f"http://127.0.0.1:{free_port()}/out"]
        assert CliRunner().invoke(main, [*words, *address], env=environment).exit_code == 0
    assert CliRunner().invoke(main, ["clients", "disable", "gone"], env=environment).exit_code == 0

    (found,) = told(site.checks("--json", "--no-public", database_url=environment["PASSERELLE_DATABASE_URL"]))
    assert found["seen"].startswith("wiki ")
    assert "`passerelle clients edit wiki --backchannel-logout-uri URI`" in found["do"]


def test_people_read_it_under_a_heading_of_its_own(site: Site) -> None:
    clients = json.dumps([application("wiki", f"http://localhost:{free_port()}/out")])
    lines = site.checks("--no-public", clients=clients).stdout.splitlines()
    heading = lines.index("Applications that are told of sign-outs")
    assert lines[heading + 1].startswith("  warning  logout.application: wiki cannot be told")
    assert lines[-1] == "No fault, 1 warning."


def test_what_is_reached_here_is_reached_by_a_delivery_and_nothing_else(site: Site) -> None:
    """By the same trust, which both take from the environment of their process."""
    stranger = Issuer(site.folder, "Private Root").server("localhost")
    with LogoutReceiver() as plain, LogoutReceiver(tls=stranger) as distrusted, listening() as (silent, _):
        addresses = [
            plain.url,
            plain.url.replace("http:", "https:"),
            distrusted.url.replace("127.0.0.1", "localhost"),
            f"http://127.0.0.1:{free_port()}/out",
            f"https://127.0.0.1:{silent}/out",
            "https://wiki.nowhere.invalid/out",
        ]
        reached = [reach(Place(url=address), seconds=1) is None for address in addresses]
        assert reached == [is_delivered(address) for address in addresses] == [True, *[False] * 5]


def is_delivered(address: str) -> bool:
    try:
        return post_form(address, "logout_token=x", seconds=1) == 200
    except NoResponse:
        return False
