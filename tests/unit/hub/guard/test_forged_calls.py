"""The guard refuses forged calls, logs each, and lets none of them reach the engine."""

from __future__ import annotations

import json
import logging

import pytest

from tests.support.docker.guarded_engine import GuardedEngine
from tests.unit.hub.guard.forged_calls import (
    CREATE,
    FOREIGN_CALLS,
    FORGED_CALLS,
    FORGED_LABS,
    FORGED_TOOLS,
    FORGED_VOLUMES,
    LAB,
    V,
)


def test_suite_has_at_least_80_forged_calls() -> None:
    assert len(FORGED_LABS) + len(FORGED_TOOLS) + len(FORGED_VOLUMES) + len(FORGED_CALLS) + len(FOREIGN_CALLS) >= 80


def check_refusal(guard: GuardedEngine, answer: tuple[int, str], caplog: pytest.LogCaptureFixture) -> None:
    status, text = answer
    assert status == 403, text
    assert guard.engine.changes() == []
    (line,) = [record.getMessage() for record in caplog.records if record.name == "guard"]
    assert line.startswith("refused ")
    if text:  # there is none for HEAD
        reason = json.loads(text)["message"].removeprefix("refused by the hub's guard: ")
        assert line.endswith(reason)


@pytest.fixture(autouse=True)
def log_level(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING, "guard")


@pytest.mark.parametrize("name", FORGED_LABS)
def test_forged_lab_is_refused(guard: GuardedEngine, name: str, caplog: pytest.LogCaptureFixture) -> None:
    check_refusal(guard, guard.call("POST", CREATE, FORGED_LABS[name]), caplog)


@pytest.mark.parametrize("name", FORGED_TOOLS)
def test_forged_tool_is_refused(guard: GuardedEngine, name: str, caplog: pytest.LogCaptureFixture) -> None:
    check_refusal(guard, guard.call("POST", f"{V}/containers/create", FORGED_TOOLS[name]), caplog)


@pytest.mark.parametrize("name", FORGED_VOLUMES)
def test_forged_volume_is_refused(guard: GuardedEngine, name: str, caplog: pytest.LogCaptureFixture) -> None:
    check_refusal(guard, guard.call("POST", f"{V}/volumes/create", FORGED_VOLUMES[name]), caplog)


@pytest.mark.parametrize("name", FORGED_CALLS)
def test_forged_call_is_refused(guard: GuardedEngine, name: str, caplog: pytest.LogCaptureFixture) -> None:
    check_refusal(guard, guard.call(*FORGED_CALLS[name]), caplog)


@pytest.mark.parametrize("name", FOREIGN_CALLS)
def test_call_on_foreign_container_is_refused(
    guard: GuardedEngine, name: str, caplog: pytest.LogCaptureFixture
) -> None:
    check_refusal(guard, guard.call(*FOREIGN_CALLS[name]), caplog)


HEADERS: dict[str, dict[str, str]] = {
    "upgrade-to-tcp": {"Connection": "Upgrade", "Upgrade": "tcp"},
    "upgrade-to-h2c": {"Upgrade": "h2c", "HTTP2-Settings": "x"},
    "upgrade-in-list": {"Connection": "keep-alive, UPGRADE"},
    "continue": {"Expect": "100-continue"},
    "registry-login": {"X-Registry-Auth": "e30="},
    "form-type": {"Content-Type": "application/x-www-form-urlencoded"},
    "type-with-charset": {"Content-Type": "application/json; charset=utf-7"},
}


@pytest.mark.parametrize("name", HEADERS)
def test_forged_header_is_refused(guard: GuardedEngine, name: str, caplog: pytest.LogCaptureFixture) -> None:
    check_refusal(guard, guard.call("POST", CREATE, LAB, **HEADERS[name]), caplog)


def raw(head: str, body: bytes = b"") -> bytes:
    return f"{head}\r\nHost: docker\r\nContent-Type: application/json\r\n\r\n".encode() + body


TEXT = json.dumps(LAB).encode()
CHUNK = b"%x\r\n%s\r\n0\r\n\r\n" % (len(TEXT), TEXT)
SMUGGLED = b"POST /v1.41/containers/p-bridge-1/stop HTTP/1.1\r\nHost: docker\r\n\r\n"
RAW: dict[str, bytes] = {
    "chunked": raw(f"POST {CREATE} HTTP/1.1\r\nTransfer-Encoding: chunked", CHUNK),
    "chunked-in-other-case": raw(f"POST {CREATE} HTTP/1.1\r\ntransfer-encoding: Chunked", CHUNK),
    "chunked-and-length": raw(f"POST {CREATE} HTTP/1.1\r\nTransfer-Encoding: chunked\r\nContent-Length: 4", CHUNK),
    "unknown-transfer-encoding": raw(f"POST {CREATE} HTTP/1.1\r\nTransfer-Encoding: identity", TEXT),
    "two-lengths": raw(f"POST {CREATE} HTTP/1.1\r\nContent-Length: 0\r\nContent-Length: {len(TEXT)}", TEXT),
    "negative-length": raw(f"POST {CREATE} HTTP/1.1\r\nContent-Length: -1", TEXT),
    "length-with-sign": raw(f"POST {CREATE} HTTP/1.1\r\nContent-Length: +{len(TEXT)}", TEXT),
    "compressed": raw(f"POST {CREATE} HTTP/1.1\r\nContent-Encoding: gzip\r\nContent-Length: {len(TEXT)}", TEXT),
    "http-1.0": raw(f"GET {V}/containers/p-lab-bob/json HTTP/1.0"),
    "http-0.9": b"GET /version\r\n\r\n",
    "http-2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "connect": b"CONNECT docker:80 HTTP/1.1\r\nHost: docker\r\n\r\n",
    "space-in-target": raw(f"GET {V}/containers/p-lab-bob/json x HTTP/1.1"),
    "bare-newlines": b"POST /v1.41/containers/p-lab-bob/start HTTP/1.1\nHost: docker\nTransfer-Encoding: x\n\n",
    "folded-header": raw("GET /version HTTP/1.1\r\nX: a\r\n b"),
    "bytes-that-are-no-ascii": b"GET /v1.41/containers/p-lab-b\xc3\xb6b/json HTTP/1.1\r\nHost: docker\r\n\r\n",
    "second-call-in-body-of-first": raw(f"GET /info HTTP/1.1\r\nContent-Length: {len(SMUGGLED)}", SMUGGLED),
    "second-call-behind-first": raw(f"GET {V}/info HTTP/1.1", SMUGGLED),
}


@pytest.mark.parametrize("name", RAW)
def test_forged_http_changes_nothing(guard: GuardedEngine, name: str) -> None:
    status, _ = guard.send(RAW[name])
    assert status in (0, 400, 403)
    assert guard.engine.changes() == []


def test_refusal_quotes_no_control_character(guard: GuardedEngine, caplog: pytest.LogCaptureFixture) -> None:
    guard.send("GET /v1.41/\x1b[2J\u202e HTTP/1.1\r\nHost: docker\r\n\r\n".encode())
    assert all(record.getMessage().isascii() and record.getMessage().isprintable() for record in caplog.records)
