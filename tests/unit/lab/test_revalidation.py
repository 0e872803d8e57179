"""Revalidation of tokens inside a lab."""

from __future__ import annotations

import asyncio
import importlib.util
from dataclasses import dataclass, field
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from tornado import web

from tests.support.docker.deployment import ROOT

FILE = ROOT / "lab" / "extension" / "passerelle_lab" / "revalidation.py"


@pytest.fixture(scope="module")
def revalidation() -> ModuleType:
    spec = importlib.util.spec_from_file_location("revalidation", FILE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@dataclass
class FakeHub:
    """A hub that knows some tokens; it is also the lab's client of it."""

    tokens: set[str]
    is_down: bool = False
    now: float = 0
    closed: list[tuple[str, int]] = field(default_factory=list)

    async def check(self, _url: str, token: str, **_: Any) -> dict[str, str] | None:
        if self.is_down:
            raise web.HTTPError(500)
        return {"name": "bob"} if token in self.tokens else None

    def get_token(self, handler: Any) -> str:
        return str(handler.token)

    def get_session_id(self, _handler: Any) -> str:
        return "session"

    async def user_for_token(self, token: str, *, session_id: str, sync: bool) -> Any:
        assert (session_id, sync) == ("session", False)
        return await self.check("", token)

    def socket(self, token: str, *, is_open: bool = True) -> Any:
        """Return a websocket that this token opened."""
        close = lambda code, _reason: self.closed.append((token, code))  # noqa: E731
        return SimpleNamespace(token=token, ws_connection=object() if is_open else None, close=close)


@pytest.fixture
def hub() -> FakeHub:
    return FakeHub({"good"})


def test_websocket_of_a_rejected_token_is_closed(revalidation: ModuleType, hub: FakeHub) -> None:
    sockets = [hub.socket("good"), hub.socket("revoked"), hub.socket("")]
    asyncio.run(revalidation.close_rejected(hub, sockets))
    assert hub.closed == [("revoked", 1008), ("", 1008)]


def test_closed_websocket_is_not_revalidated(revalidation: ModuleType, hub: FakeHub) -> None:
    asyncio.run(revalidation.close_rejected(hub, [hub.socket("revoked", is_open=False)]))
    assert hub.closed == []


def test_websockets_stay_open_while_the_hub_is_down(revalidation: ModuleType, hub: FakeHub) -> None:
    hub.is_down = True
    asyncio.run(revalidation.close_rejected(hub, [hub.socket("good"), hub.socket("revoked")]))
    assert hub.closed == []


def test_last_response_is_used_while_the_hub_is_down(revalidation: ModuleType, hub: FakeHub) -> None:
    responses = revalidation.LastResponses(hub.check, lambda: hub.now)
    assert asyncio.run(responses.check("", "good", use_cache=True)) == {"name": "bob"}
    hub.is_down, hub.now = True, revalidation.OUTAGE
    assert asyncio.run(responses.check("", "good")) == {"name": "bob"}


def test_invented_tokens_are_not_stored(revalidation: ModuleType, hub: FakeHub) -> None:
    responses = revalidation.LastResponses(hub.check, lambda: hub.now)
    for number in range(3):
        assert asyncio.run(responses.check("", f"invented {number}")) is None
    assert responses._known == {}


def test_long_outage_ends_the_use_of_the_last_response(revalidation: ModuleType, hub: FakeHub) -> None:
    responses = revalidation.LastResponses(hub.check, lambda: hub.now)
    asyncio.run(responses.check("", "good"))
    hub.is_down, hub.now = True, revalidation.OUTAGE
    assert asyncio.run(responses.check("", "good"))
    hub.now += 1
    with pytest.raises(web.HTTPError):
        asyncio.run(responses.check("", "good"))


def test_new_response_replaces_the_last_one(revalidation: ModuleType, hub: FakeHub) -> None:
    responses = revalidation.LastResponses(hub.check, lambda: hub.now)
    asyncio.run(responses.check("", "good"))
    hub.tokens.clear()
    assert asyncio.run(responses.check("", "good")) is None
    hub.is_down = True
    assert asyncio.run(responses.check("", "good")) is None
