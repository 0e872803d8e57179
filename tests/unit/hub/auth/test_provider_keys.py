"""The keys of the provider, fetched when needed."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Any

import pytest

from hub.auth.backchannel_logout import KEYS_MAX_AGE, MIN_FETCH_INTERVAL, KeysUnavailableError, ProviderKeys


@dataclass
class Provider:
    """A provider whose keys change, and a clock."""

    kids: list[str] = field(default_factory=lambda: ["one"])
    now: float = 1000.0
    is_down: bool = False
    fetches: int = 0

    async def fetch(self) -> dict[str, Any]:
        self.fetches += 1
        if self.is_down:
            raise ConnectionRefusedError("no connection")
        return {"keys": [{"kty": "RSA", "kid": kid} for kid in self.kids]}

    def keys(self) -> ProviderKeys:
        return ProviderKeys(self.fetch, lambda: self.now)


def select(keys: ProviderKeys, kid: str) -> list[str]:
    return [key["kid"] for key in asyncio.run(keys.select(kid))]


def test_known_key_is_fetched_once() -> None:
    provider = Provider()
    keys = provider.keys()
    assert [select(keys, "one") for _ in range(3)] == [["one"]] * 3
    assert provider.fetches == 1


def test_new_key_is_fetched_after_the_interval() -> None:
    provider = Provider()
    keys = provider.keys()
    select(keys, "one")
    provider.kids = ["two"]
    assert select(keys, "two") == []
    provider.now += MIN_FETCH_INTERVAL + 1
    assert select(keys, "two") == ["two"]


def test_withdrawn_key_is_used_no_longer_than_its_age() -> None:
    provider = Provider()
    keys = provider.keys()
    select(keys, "one")
    provider.kids = []
    provider.now += KEYS_MAX_AGE + 1
    assert select(keys, "one") == []


def test_keys_are_used_during_an_outage_until_they_are_old() -> None:
    provider = Provider()
    keys = provider.keys()
    select(keys, "one")
    provider.is_down = True
    provider.now += KEYS_MAX_AGE
    assert select(keys, "one") == ["one"]
    provider.now += 1
    with pytest.raises(KeysUnavailableError, match="no connection"):
        select(keys, "one")


def test_hanging_provider_is_not_asked_by_every_request() -> None:
    provider = Provider(is_down=True)
    keys = provider.keys()
    for _ in range(3):
        with pytest.raises(KeysUnavailableError):
            select(keys, "one")
    assert provider.fetches == 1
    provider.is_down, provider.now = False, provider.now + MIN_FETCH_INTERVAL + 1
    assert select(keys, "one") == ["one"]
