"""`passerelle check` on applications that receive sign-outs."""

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

from bridge.check.probe import ProbeClient, Target
from bridge.cli import main
from bridge.connection import NoResponse, post_form
from tests.http.check_site import CLIENTS, Checked, Site, shared, site
from tests.support.bridge.certificate_authority import CertificateAuthority
from tests.support.bridge.checked_site import Issuer
from tests.support.bridge.live_bridge import free_port
from tests.support.cas.logout_receiver import LogoutReceiver

__all__ = ["shared", "site"]  # fixtures

ABOUT = "logout.application"


def client(name: str, address: str) -> dict[str, Any]:
    return {"client_id": name, "redirect_uris": [f"https://{name}.example.org/cb"], "backchannel_logout_uri": address}


def checked(site: Site, **addresses: str) -> Checked:
    clients = [*CLIENTS, *(client(name, address) for name, address in addresses.items())]
    return site.run_check("--json", "--no-public", clients=json.dumps(clients))


def findings_of(run: Checked) -> list[dict[str, str]]:
    return [found for found in run.report["findings"] if found["id"] == ABOUT]


@contextmanager
def listening() -> Iterator[tuple[int, list[bytes]]]:
    """Yield the port of a silent server and the data of each connection to it."""
    received: list[bytes] = []
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen(16)

        def read(connection: socket.socket, number: int) -> None:
            with connection, contextlib.suppress(OSError):
                while data := connection.recv(4096):
                    received[number] += data

        def accept() -> None:
            with contextlib.suppress(OSError):
                while True:
                    connection = server.accept()[0]
                    received.append(b"")
                    threading.Thread(target=read, args=(connection, len(received) - 1), daemon=True).start()

        threading.Thread(target=accept, daemon=True).start()
        yield server.getsockname()[1], received
        server.shutdown(socket.SHUT_RDWR)


def assert_received(received: list[bytes], *connections: bytes) -> None:
    """Wait for the connections and compare their data."""
    deadline = time.monotonic() + 5
    while len(received) < len(connections) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert received == list(connections)


def trust(site: Site, monkeypatch: pytest.MonkeyPatch, ca_file: Path) -> None:
    """Set the authorities that deliveries trust."""
    monkeypatch.setitem(site.bridge.environment, "SSL_CERT_FILE", str(ca_file))


def test_refused_connection_is_warning_with_client(site: Site) -> None:
    port = free_port()
    run = checked(site, wiki=f"http://localhost:{port}/logout")

    (found,) = findings_of(run)
    assert (run.status, found["level"], found["to_cas"]) == (0, "warning", None)
    assert found["seen"].startswith("wiki cannot receive sign-outs: ")
    assert f"localhost:{port}" in found["seen"]
    assert "Connection refused" in found["seen"]
    assert "stay signed in there" in found["means"]
    assert "backchannel_logout_uri of wiki in the settings" in found["do"]


def test_unknown_host_name_is_named(site: Site) -> None:
    (found,) = findings_of(checked(site, wiki="https://wiki.nowhere.invalid/logout"))
    assert found["level"] == "warning"
    assert "this machine cannot resolve the host name wiki.nowhere.invalid" in found["seen"]
    assert "DNS" in found["do"]


@pytest.mark.parametrize(
    ("host", "days", "words"),
    [
        ("localhost", (-60, 60), "comes from the authority 'Private Root'"),
        ("localhost", (-60, -3), "expired on"),
        ("router.local", (-60, 60), "is for router.local, not for localhost"),
    ],
    ids=["private", "expired", "other-host"],
)
def test_untrusted_certificate_is_warning(
    site: Site, monkeypatch: pytest.MonkeyPatch, host: str, days: tuple[int, int], words: str
) -> None:
    private = Issuer(site.folder, "Private Root")
    if "authority" not in words:
        trust(site, monkeypatch, private.ca_file)
    with LogoutReceiver(tls=private.server(host, days=days, sends_issuer=True)) as receiver:
        (found,) = findings_of(checked(site, wiki=receiver.url.replace("127.0.0.1", "localhost")))
        assert found["level"] == "warning"
        assert words in found["seen"]
        assert "stay signed in there" in found["means"]
        assert "sign in." not in found["means"]
        assert ("SSL_CERT_FILE" in found["do"]) is ("authority" in words)
        assert receiver.told == []


def test_authorities_of_cas_do_not_apply_to_deliveries(site: Site) -> None:
    """A delivery does not use them, so neither does the check."""
    with LogoutReceiver(tls=site.authority.server("localhost")) as receiver:
        (found,) = findings_of(checked(site, wiki=receiver.url.replace("127.0.0.1", "localhost")))
    assert found["level"] == "warning"
    assert "Institution CA" in found["seen"]


def test_ssl_cert_file_is_trusted_and_no_data_is_sent(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    private = CertificateAuthority(site.folder)
    trust(site, monkeypatch, private.ca_file)
    files = private.issue("localhost")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(files.certificate, files.key)
    with LogoutReceiver(tls=context) as secure, listening() as (port, received):
        address = secure.url.replace("127.0.0.1", "localhost")
        run = checked(site, wiki=address, blog=address, forum=f"http://127.0.0.1:{port}/out")
        assert secure.told == []
        assert_received(received, b"")
    (found,) = findings_of(run)
    assert found["level"] == "ok"
    assert "wiki, blog, forum" in found["seen"]


def test_silent_applications_time_out_in_parallel(site: Site) -> None:
    """The limit is that of a delivery."""
    with ExitStack() as stack:
        ports = [stack.enter_context(listening())[0] for _ in range(6)]
        addresses = {f"app-{number}": f"https://127.0.0.1:{port}/" for number, port in enumerate(ports)}
        began = time.monotonic()
        run = checked(site, **addresses, again=f"https://127.0.0.1:{ports[0]}/other")
        took = time.monotonic() - began
    assert {found["level"] for found in findings_of(run)} == {"warning"}
    assert [found["seen"].partition(" ")[0] for found in findings_of(run)] == [*addresses, "again"]
    assert all("no response within 5 s" in found["seen"] for found in findings_of(run))
    assert took < 20  # of which the start of the command is a few, on a busy machine


def test_no_backchannel_uri_has_no_section(site: Site) -> None:
    assert findings_of(site.run_check("--json", "--no-public")) == []
    assert "Applications" not in site.run_check("--no-public").stdout


def test_message_option_connects_to_no_application(site: Site) -> None:
    with listening() as (port, received):
        clients = json.dumps([client("wiki", f"http://127.0.0.1:{port}/")])
        assert site.run_check("--message", clients=clients).status == 0
        assert_received(received)
        site.run_check("--no-public", clients=clients)
        assert_received(received, b"")


def test_disabled_client_is_skipped_and_managed_has_command(site: Site) -> None:
    environment = site.bridge.environment | {"PASSERELLE_DATABASE_URL": f"sqlite:///{site.folder}/managed.sqlite3"}
    for name in ("wiki", "gone"):
        options = ["clients", "add", name, "--id", name, "--redirect-uri", f"https://{name}.example.org/cb"]
        address = ["--backchannel-logout-uri", f"http://127.0.0.1:{free_port()}/out"]
        assert CliRunner().invoke(main, [*options, *address], env=environment).exit_code == 0
    assert CliRunner().invoke(main, ["clients", "disable", "gone"], env=environment).exit_code == 0

    (found,) = findings_of(site.run_check("--json", "--no-public", database_url=environment["PASSERELLE_DATABASE_URL"]))
    assert found["seen"].startswith("wiki ")
    assert "`passerelle clients edit wiki --backchannel-logout-uri URI`" in found["do"]


def test_text_report_has_section_for_applications(site: Site) -> None:
    clients = json.dumps([client("wiki", f"http://localhost:{free_port()}/out")])
    lines = site.run_check("--no-public", clients=clients).stdout.splitlines()
    heading = lines.index("Applications that receive sign-outs")
    assert lines[heading + 1].startswith("  warning  logout.application: wiki cannot receive")
    assert lines[-1] == "No fault, 1 warning."


def test_check_and_delivery_reach_the_same_servers(site: Site) -> None:
    """Both take the trusted authorities from the environment of the process."""
    unknown = Issuer(site.folder, "Private Root").server("localhost")
    with LogoutReceiver() as plain, LogoutReceiver(tls=unknown) as distrusted, listening() as (silent, _):
        addresses = [
            plain.url,
            plain.url.replace("http:", "https:"),
            distrusted.url.replace("127.0.0.1", "localhost"),
            f"http://127.0.0.1:{free_port()}/out",
            f"https://127.0.0.1:{silent}/out",
            "https://wiki.nowhere.invalid/out",
        ]
        reached = [ProbeClient().connect(Target(url=address), seconds=1) is None for address in addresses]
        assert reached == [is_delivered(address) for address in addresses] == [True, *[False] * 5]


def is_delivered(address: str) -> bool:
    try:
        return post_form(address, "logout_token=x", seconds=1) == 200
    except NoResponse:
        return False
