"""`make demo` with real processes and a real browser; Ctrl-C removes everything."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPResponse
from pathlib import Path

import psutil
import pytest

from tests.support.bridge.journey import Journey
from tests.support.hub.local_browser import LocalBrowser
from tests.support.hub.sign_out_matrix import WITHIN, SignIn, Site

pytestmark = pytest.mark.e2e
ROOT = Path(__file__).parents[2]
READY_WITHIN = 120
GONE_WITHIN = 45


@dataclass
class Demo:
    """A running demo and its output."""

    process: subprocess.Popen[str]
    port: int
    temporary: Path
    printed: list[str]

    @property
    def hub_url(self) -> str:
        return f"https://jupyter.localhost:{self.port}"

    def tree(self) -> list[psutil.Process]:
        one = psutil.Process(self.process.pid)
        return [one, *one.children(recursive=True)]

    def read_until(self, text: str) -> None:
        """Read the output up to a line with this text."""
        assert self.process.stdout
        for line in self.process.stdout:
            self.printed.append(line)
            if text in line:
                return
        pytest.fail(f"the demo ended before it printed {text!r}:\n{''.join(self.printed)}")

    def get(self, host: str, path: str) -> HTTPResponse:
        """Send one request without the browser."""
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        connection = HTTPConnection(f"{host}.localhost", self.port, timeout=10)
        plain = socket.create_connection(("127.0.0.1", self.port), timeout=10)
        with context.wrap_socket(plain, server_hostname=f"{host}.localhost") as connection.sock:
            connection.request("GET", path)
            response = connection.getresponse()
            response.read()
            return response


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def launch(port: int, temporary: Path, **extra: str) -> Demo:
    """Start the demo as `make demo` does, with environment variables that it must not pass on."""
    foreign = {
        "PASSERELLE_ISSUER": "https://stray.example.org",
        "PASSERELLE_NONSENSE": "1",
        "JUPYTERHUB_API_TOKEN": "x",
    }
    process = subprocess.Popen(
        [sys.executable, str(ROOT / "demo" / "run.py")],
        env=os.environ | foreign | {"DEMO_PORT": str(port), "TMPDIR": str(temporary)} | extra,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    return Demo(process, port, temporary, [])


def end(demo: Demo) -> None:
    """Stop all processes of the tree."""
    if demo.process.poll() is None:
        demo.process.send_signal(signal.SIGTERM)
        try:
            demo.process.wait(GONE_WITHIN)
        except subprocess.TimeoutExpired:
            for process in reversed(demo.tree()):
                process.kill()
    if demo.process.stdout:
        demo.process.stdout.close()


@pytest.fixture
def demo(tmp_path: Path) -> Iterator[Demo]:
    with running_demo(tmp_path) as demo:
        yield demo


@pytest.fixture(scope="module")
def shared_demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    """Run one demo for the browser tests, because its start is slow; the last of them stops it."""
    with running_demo(tmp_path_factory.mktemp("demo")) as demo:
        yield demo


@contextlib.contextmanager
def running_demo(folder: Path) -> Iterator[Demo]:
    demo = launch(free_port(), folder)
    try:
        demo.read_until("removes every file")
        yield demo
    finally:
        end(demo)


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


@pytest.mark.needs("browser")
def test_user_runs_a_cell_and_ctrl_c_leaves_nothing(shared_demo: Demo) -> None:
    demo = shared_demo
    with Journey(demo.hub_url, name="demo") as alice:
        seconds = alice.sign_in("alice", "alice-demo")
        alice.open_notebook()
        assert alice.run_cell("6*7") == "42"
        alice.screenshot("computes-42")
        print(f"\nready after {ready_after(demo):.1f} s; from the CAS form to a ready lab {seconds:.1f} s")

        known = alice.whoami()
        assert (known["name"], known["admin"]) == ("alice", True)
        assert set(known["groups"]) == {"staff", "jupyter-admins"}  # type: ignore[call-overload]

        check_lab_is_served_on_its_host_only(demo)
        tree = demo.tree()
        assert find(tree, "ipykernel")
        demo.process.send_signal(signal.SIGINT)
        check_nothing_is_left(demo, tree)


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


def check_lab_is_served_on_its_host_only(demo: Demo) -> None:
    """Check that the lab's route exists on no other host, and that the hub is on none of the labs' hosts."""
    assert demo.get("alice.labs", "/user/alice/api").status == 200
    assert demo.get("alice.labs", "/hub/home").headers["Location"] == f"{demo.hub_url}/hub/home"
    assert demo.get("bob.labs", "/user/alice/api").headers["Location"] == f"{demo.hub_url}/user/alice/api"
    assert demo.get("jupyter", "/user/alice/api").status == 302
    assert demo.get("auth", "/user/alice/api").status == 404
    assert demo.get("cas", "/user/alice/api").status == 404
    assert demo.get("other", "/user/alice/api").status == 404


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
