"""Requests of the probe client."""

from __future__ import annotations

import socket
from contextlib import ExitStack

from bridge.check.probe import Failure, ProbeClient, Target
from tests.support.bridge.live_bridge import free_port


def test_full_backlog_is_unconnected_and_silence_is_silent() -> None:
    with socket.socket() as listening, ExitStack() as stack:
        listening.bind(("127.0.0.1", 0))
        listening.listen(0)
        target = Target(url=f"http://127.0.0.1:{listening.getsockname()[1]}/")
        silent = ProbeClient(seconds=0.3).send(target)
        for _ in range(3):  # until the kernel drops what comes next
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(listening.getsockname())
        unconnected = ProbeClient(seconds=0.3).send(target)
    assert isinstance(silent, Failure)
    assert isinstance(unconnected, Failure)
    assert (silent.kind, unconnected.kind) == ("silent", "unconnected")


def test_refused_connection_has_ip_address() -> None:
    response = ProbeClient(seconds=2).send(Target(url=f"http://localhost:{free_port()}"))

    assert isinstance(response, Failure)
    assert response.kind == "refused"
    assert "127.0.0.1" in response.addresses
