"""The circuit breaker for requests to CAS."""

from __future__ import annotations

import pytest

from bridge.cas.circuit_breaker import MAX_TIMEOUTS, PAUSE_SECONDS, CircuitBreaker
from bridge.errors import UpstreamBusy, UpstreamMalformed, UpstreamTimeout
from tests.support.clock import Clock


class Cas:
    """A CAS that times out, and a clock."""

    def __init__(self) -> None:
        self.clock, self.requests = Clock(0), 0
        self.breaker = CircuitBreaker(self.clock)

    def ask(self, failure: type[Exception] | None) -> None:
        with self.breaker:
            self.requests += 1
            if failure:
                raise failure

    def time_out(self, times: int) -> None:
        for _ in range(times):
            with pytest.raises(UpstreamTimeout):
                self.ask(UpstreamTimeout)


def test_repeated_timeouts_stop_requests() -> None:
    cas = Cas()
    cas.time_out(MAX_TIMEOUTS)
    with pytest.raises(UpstreamBusy):
        cas.ask(None)
    assert cas.requests == MAX_TIMEOUTS
    assert cas.breaker.is_open


def test_any_response_resets_the_count() -> None:
    cas = Cas()
    cas.time_out(MAX_TIMEOUTS - 1)
    with pytest.raises(UpstreamMalformed):
        cas.ask(UpstreamMalformed)
    cas.time_out(MAX_TIMEOUTS - 1)
    cas.ask(None)


def test_one_request_probes_after_the_pause() -> None:
    cas = Cas()
    cas.time_out(MAX_TIMEOUTS)
    cas.clock.advance(PAUSE_SECONDS)
    with cas.breaker, pytest.raises(UpstreamBusy):  # while the first one waits
        cas.ask(None)
    cas.ask(None)
    assert not cas.breaker.is_open


def test_failed_probe_prolongs_the_pause() -> None:
    cas = Cas()
    cas.time_out(MAX_TIMEOUTS)
    cas.clock.advance(PAUSE_SECONDS)
    cas.time_out(1)
    cas.clock.advance(PAUSE_SECONDS - 1)
    with pytest.raises(UpstreamBusy):
        cas.ask(None)
