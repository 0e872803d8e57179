"""A disk that is full or fails: 503 everywhere, and recovery without a restart."""

from __future__ import annotations

import resource
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from tests.http.world import CLIENTS, HUB_SECRET
from tests.support.bridge.actors import App, Browser, Wire
from tests.support.bridge.live_bridge import LiveBridge
from tests.support.cas.scripted_cas import ALICE, ScriptedCas

PATIENCE_SECONDS = 15
DISK_BYTES = 8 * 2**20
FILE_BYTES = 64 * 2**10  # more than the log has, less than the database


@pytest.fixture(scope="module")
def serving(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveBridge]:
    """Return a bridge whose database is on a small disk that no other process sees."""
    folder = tmp_path_factory.mktemp("disk")
    with ScriptedCas() as cas:
        cas.sign_in_as("alice", ALICE)
        disk = folder / "disk"
        disk.mkdir()
        settings = {"PASSERELLE_DATABASE_URL": f"sqlite:///{disk}/bridge.sqlite3"}
        bridge = LiveBridge(folder, cas_url=cas.url, clients=CLIENTS, settings=settings)
        mount = f'mount -t tmpfs -o size={DISK_BYTES} disk {disk} && exec "$@"'
        bridge.command = ["unshare", "--mount", "sh", "-c", mount, "sh", *bridge.command]
        with bridge:
            yield bridge


def disk_of(bridge: LiveBridge) -> Path:
    assert bridge.process is not None
    folder = bridge.environment["PASSERELLE_DATABASE_URL"].removeprefix("sqlite:///")
    return Path(f"/proc/{bridge.process.pid}/root{folder}").parent


def fill(bridge: LiveBridge) -> Callable[[], None]:
    """Fill the disk, and return the function that frees it."""
    filler = disk_of(bridge) / "filler"
    with filler.open("wb", buffering=0) as file:
        try:
            while file.write(b"x" * 4096):
                pass
        except OSError:
            pass
    return filler.unlink


def limit_files(bridge: LiveBridge) -> Callable[[], None]:
    """Let writes beyond the start of a file fail; SQLite reports this as an I/O error."""
    assert bridge.process is not None
    processes = [worker.pid for worker in psutil.Process(bridge.process.pid).children(recursive=True)]

    def limit(limit: int) -> None:
        for process in processes:
            resource.prlimit(process, resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))

    limit(FILE_BYTES)
    return lambda: limit(resource.RLIM_INFINITY)


def wait_for(status: int, act: Callable[[], int]) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while (seen := act()) != status:
        assert seen in (200, 303), seen
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.mark.needs("mounts")
@pytest.mark.parametrize(("fail", "reason"), [(fill, "full"), (limit_files, "disk I/O error")])
def test_failing_disk_gives_503_until_it_works(
    serving: LiveBridge, fail: Callable[[LiveBridge], Callable[[], None]], reason: str
) -> None:
    wire = Wire(serving.url, port=serving.port)
    hub = App(wire, secret=HUB_SECRET)
    callback = (browser := Browser(wire)).log_in_at_cas(browser.get(hub.authorization_url()))
    mend = fail(serving)
    try:
        wait_for(503, lambda: Browser(wire).get(hub.authorization_url()).status)
        wait_for(503, lambda: wire.send("GET", "/readyz").status)
        assert browser.get(callback).status == 503
        assert wire.send("GET", "/.well-known/jwks.json").status == 200
    finally:
        mend()
    assert wire.send("GET", "/readyz").status == 200
    assert hub.extract_code(Browser(wire).sign_in(hub.authorization_url()))
    assert f'{reason}"' in serving.log
    assert "unexpected_error" not in serving.log
