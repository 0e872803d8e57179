"""`make demo` with real processes and a real browser; Ctrl-C removes everything."""

from __future__ import annotations

import contextlib
import re
import signal
import socket
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.support.bridge.journey import Journey
from tests.support.hub.attack_page import STOLEN_FILE, TOKEN_NOTE, Addresses, attack
from tests.support.hub.demo import GONE_WITHIN, Demo, end, free_port, launch, running_demo
from tests.support.hub.local_browser import LocalBrowser
from tests.support.hub.sign_out_matrix import WITHIN, SignIn, Site

pytestmark = pytest.mark.e2e
# Hub and labs are one site, as in production, so browsers send SameSite cookies from the labs to the hub.
DOMAIN = "campus.localhost"


@pytest.fixture
def demo(tmp_path: Path) -> Iterator[Demo]:
    with running_demo(tmp_path) as demo:
        yield demo


@pytest.fixture(scope="module")
def shared_demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    """Run one demo for the browser tests, because its start is slow; the last of them stops it."""
    with running_demo(tmp_path_factory.mktemp("demo"), DEMO_DOMAIN=DOMAIN, DEMO_LAB_HOST=f"*.labs.{DOMAIN}") as demo:
        yield demo


@pytest.mark.needs("browser")
def test_home_survives_server_restart(shared_demo: Demo) -> None:
    with Journey(shared_demo.hub_url, name="demo-bob") as bob:
        bob.sign_in("bob", "bob-demo")
        bob.open_notebook()
        bob.write_home_file("note.txt", "kept")
        bob.stop_server()

        bob.restart_lab()
        bob.open_notebook()

        assert bob.read_home_file("note.txt") == "kept"
        assert bob.whoami()["admin"] is False


@pytest.mark.needs("browser")
def test_sign_out_requires_password_again(shared_demo: Demo) -> None:
    with Journey(shared_demo.hub_url, name="demo-sign-out") as bob:
        bob.sign_in("bob", "bob-demo")

        bob.sign_out()

        assert bob.needs_password()


@dataclass
class SignOuts:
    """Bob's sign-ins after four of them were signed out, one in each way, and Alice's."""

    ended: dict[str, SignIn]
    untouched: list[SignIn]


@pytest.fixture(scope="module")
def sign_outs(shared_demo: Demo, figures: list[str]) -> Iterator[SignOuts]:
    bridge = find(shared_demo.tree(), "passerelle serve").environ()
    (database,) = shared_demo.temporary.glob("*/bridge.sqlite3")
    site = Site(shared_demo.hub_url, database, {k: v for k, v in bridge.items() if k.startswith("PASSERELLE_")})
    kernels = {user: start_kernel(shared_demo, user) for user in ("alice", "bob")}
    untouched = [site.sign_in(user, kernel=kernel) for user, kernel in kernels.items()]
    ended = {way: site.sign_in("bob", kernel=kernels["bob"]) for way in site.ways()}
    site.wait_until_ended(ended)
    for way, one in ended.items():
        seconds = ", ".join(f"{name} {after:.1f} s" for name, after in one.ended.items())
        figures.append(f"sign-out ({way}): {seconds}")
    yield SignOuts(ended, untouched)
    for one in (*untouched, *ended.values()):
        one.close()


def start_kernel(demo: Demo, user: str) -> str:
    with LocalBrowser(demo.hub_url) as browser:
        browser.sign_in(user, f"{user}-demo")
        browser.start_lab(user)
        return browser.start_kernel()


@pytest.mark.parametrize("way", ["cas", "bridge", "hub", "command"])
def test_sign_out_ends_everything_of_the_sign_in(sign_outs: SignOuts, way: str) -> None:
    things = {"hub page", "second browser", "notebook", "kernel websocket", "refresh token"}
    assert set(sign_outs.ended[way].ended) == things, f"after {WITHIN} s"


def test_sign_out_leaves_other_users_and_sign_ins(sign_outs: SignOuts) -> None:
    for one in sign_outs.untouched:
        assert one.channel.is_open()
        assert one.first.reaches_lab()
        assert one.first.is_signed_in()
        assert one.second.is_signed_in()


@pytest.fixture(scope="module")
def alice(shared_demo: Demo) -> Iterator[Journey]:
    with Journey(shared_demo.hub_url, name="demo") as journey:
        seconds = journey.sign_in("alice", "alice-demo")
        print(f"\nready after {ready_after(shared_demo):.1f} s; from the CAS form to a ready lab {seconds:.1f} s")
        yield journey


@pytest.mark.needs("browser")
def test_administrator_runs_a_cell(alice: Journey) -> None:
    alice.open_notebook()
    assert alice.run_cell("6*7") == "42"
    alice.screenshot("computes-42")

    known = alice.whoami()
    assert (known["name"], known["admin"]) == ("alice", True)
    assert set(known["groups"]) == {"staff", "jupyter-admins"}  # type: ignore[call-overload]


@pytest.mark.needs("browser")
@pytest.mark.usefixtures("alice")
def test_lab_is_served_on_its_host_only(shared_demo: Demo) -> None:
    assert shared_demo.get("alice.labs", "/user/alice/api").status == 200
    assert [shared_demo.get(name, "/user/alice/api").status for name in ("auth", "cas", "other")] == [404] * 3
    for name, path in (("alice.labs", "/hub/home"), ("bob.labs", "/user/alice/api")):
        assert shared_demo.get(name, path).headers["Location"] == f"{shared_demo.hub_url}{path}"
    assert shared_demo.get("jupyter", "/user/alice/api").status == 302


@pytest.fixture(scope="module")
def attacked(shared_demo: Demo, alice: Journey) -> dict[str, dict[str, Any]]:
    """Let Alice, an administrator, open a page of Bob's lab, which an earlier test started."""
    demo = shared_demo
    places = Addresses(demo.hub_url, demo.url("auth"), demo.url("bob.labs"), demo.url("alice.labs"))
    return attack(alice.page.context, places, attacker="bob", user="alice")


@pytest.mark.needs("browser")
def test_page_of_lab_gets_no_token_from_hub(shared_demo: Demo, attacked: dict[str, dict[str, Any]]) -> None:
    assert attacked["hub"] == {"token": "", "status": 0}
    assert shared_demo.tokens_with_note(TOKEN_NOTE) == 0


@pytest.mark.needs("browser")
def test_page_of_lab_cannot_act_in_other_lab(shared_demo: Demo, attacked: dict[str, dict[str, Any]]) -> None:
    assert attacked["lab"] == {"token": "", "status": 0, "connected": False}
    home = shared_demo.folder / "homes" / "alice"
    assert not [*home.glob(STOLEN_FILE), *home.glob("untitled.txt")]


@pytest.mark.needs("browser")
def test_page_of_lab_cannot_read_bridge(attacked: dict[str, dict[str, Any]]) -> None:
    assert attacked["bridge"] == {"text": "", "status": 0}


@pytest.mark.needs("browser")
@pytest.mark.usefixtures("alice")
def test_ctrl_c_leaves_nothing(shared_demo: Demo) -> None:
    tree = shared_demo.tree()
    assert find(tree, "ipykernel")
    shared_demo.process.send_signal(signal.SIGINT)
    check_nothing_is_left(shared_demo, tree)


def test_closed_terminal_ends_demo(demo: Demo) -> None:
    tree = demo.tree()
    assert demo.process.stdout
    demo.process.stdout.close()

    demo.process.send_signal(signal.SIGHUP)

    check_nothing_is_left(demo, tree, codes=(0, 120))  # 120: Python could not flush standard output


def test_killed_demo_leaves_no_process(tmp_path: Path) -> None:
    demo = launch(free_port(), tmp_path)
    try:
        demo.read_until("removes every file")
        tree = demo.tree()
        assert len(tree) > 4

        demo.process.kill()

        _, alive = psutil.wait_procs(tree, timeout=GONE_WITHIN)
        assert alive == []
    finally:
        end(demo)
    # The next demo removes the folder of a killed one.
    leftovers = list(tmp_path.glob("passerelle-demo-*"))
    assert len(leftovers) == 1
    next_one = launch(free_port(), tmp_path)
    try:
        next_one.read_until("certificate made")
        assert not leftovers[0].exists()
    finally:
        end(next_one)


def test_crashed_part_ends_demo_with_its_log(tmp_path: Path) -> None:
    demo = launch(free_port(), tmp_path)
    try:
        demo.read_until("removes every file")
        tree = demo.tree()
        cas = find(tree, "serve.py")

        cas.kill()

        demo.read_until("cas ended unexpectedly (exit -9)")
        assert demo.process.wait(GONE_WITHIN) == 1
        assert demo.process.stdout
        assert "cas | CAS is ready" in demo.process.stdout.read()
        check_nothing_is_left(demo, tree, codes=(1,))
    finally:
        end(demo)


@pytest.mark.parametrize(("family", "address"), [(socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")])
def test_port_in_use_is_explained(tmp_path: Path, family: int, address: str) -> None:
    with socket.socket(family) as other:
        other.bind((address, 0))
        other.listen()
        port = other.getsockname()[1]

        demo = launch(port, tmp_path)
        printed, _ = demo.process.communicate(timeout=30)

    assert demo.process.returncode == 1
    assert printed.count("\n") == 1, printed
    assert f"port {port} is in use" in printed
    assert "DEMO_PORT=9443 make demo" in printed
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("port", ["https", "0", "70000"])
def test_invalid_port_is_rejected(tmp_path: Path, port: str) -> None:
    demo = launch(0, tmp_path, DEMO_PORT=port)
    printed, _ = demo.process.communicate(timeout=30)

    assert (demo.process.returncode, printed.count("\n")) == (1, 1)
    assert f"DEMO_PORT is '{port}'" in printed


def find(tree: list[psutil.Process], word: str) -> psutil.Process:
    """Return the process of the tree with this word in its command line."""
    for process in tree:
        with contextlib.suppress(psutil.NoSuchProcess, psutil.ZombieProcess):
            if word in " ".join(process.cmdline()):
                return process
    raise AssertionError(f"no process with {word!r} in {tree}")


def ready_after(demo: Demo) -> float:
    (line,) = (line for line in demo.printed if line.rstrip().endswith("s  ready"))
    found = re.match(r"\s*([\d.]+) s", line)
    assert found
    return float(found[1])


def check_nothing_is_left(demo: Demo, tree: list[psutil.Process], *, codes: tuple[int, ...] = (0,)) -> None:
    """Check that no process, no listener and no file is left."""
    assert demo.process.wait(GONE_WITHIN) in codes
    assert [process for process in tree if process.is_running() and process.status() != psutil.STATUS_ZOMBIE] == []
    deadline = time.monotonic() + 5
    while list(demo.temporary.iterdir()) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert list(demo.temporary.iterdir()) == []
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind(("127.0.0.1", demo.port))
