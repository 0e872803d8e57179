"""Containers that measure and share volumes leave nothing behind."""

import os
import signal
from types import SimpleNamespace
from typing import Any

import pytest

from hub.storage.volumes import Volumes


def test_end_of_the_hub_removes_a_container_that_it_creates() -> None:
    removed: list[str] = []

    def create(*_: object, **__: object) -> Any:
        os.kill(os.getpid(), signal.SIGTERM)  # while the engine creates the container
        return SimpleNamespace(start=lambda: None, remove=lambda force: removed.append("container"))

    def end(*_: object) -> None:
        raise SystemExit(0)

    volumes = Volumes("hub", "image")
    volumes.__dict__["client"] = SimpleNamespace(
        volumes=SimpleNamespace(get=lambda _: None), containers=SimpleNamespace(create=create)
    )
    before = signal.signal(signal.SIGTERM, end)
    try:
        with pytest.raises(SystemExit):
            volumes.size("hub-home-bob", 5)
    finally:
        signal.signal(signal.SIGTERM, before)
    assert removed == ["container"]
