"""Limits on failed sign-ins: growing delays, no permanent lock-out, and bounded memory."""

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest
from tornado import web

from hub.auth import attempts
from hub.auth.attempts import AttemptLimits, address_network
from hub.auth.refresh import AuthModel, GroupsAuthenticator, client_address
from tests.support.clock import Clock

ATTACKER, HOME = "203.0.113.7", "198.51.100.1"
FREE = attempts.FREE_FAILURES["name"]


@pytest.fixture
def clock() -> Clock:
    return Clock(1000)


@pytest.fixture
def limits(clock: Clock) -> AttemptLimits:
    return AttemptLimits(clock)


def fail(limits: AttemptLimits, times: int, name: str = "ann", address: str = ATTACKER) -> list[float]:
    return [limits.begin(name, address) for _ in range(times)]


def test_delay_of_a_name_doubles_up_to_a_bound(limits: AttemptLimits, clock: Clock) -> None:
    assert fail(limits, FREE) == [0] * FREE
    waits = []
    for number in range(9):
        waits.append(limits.begin("ann", f"203.0.113.{number}"))
        clock.now += waits[-1]
        assert limits.begin("ann", f"203.0.113.{number}") == 0
    assert waits == [1, 2, 4, 8, 16, 32, 60, 60, 60]


def test_address_is_limited_over_many_names(limits: AttemptLimits) -> None:
    free = attempts.FREE_FAILURES["address"]
    waits = [limits.begin(f"user{number}", ATTACKER) for number in range(free + 1)]
    assert waits == [0] * free + [1]
    assert limits.begin("user0", HOME) == 0


def test_rejected_attempt_does_not_extend_the_delay(limits: AttemptLimits, clock: Clock) -> None:
    fail(limits, FREE + 20)
    clock.now += 1
    assert limits.begin("ann", ATTACKER) == 0


def test_attacker_does_not_lock_out_user_at_known_address(limits: AttemptLimits) -> None:
    limits.begin("ann", HOME)
    limits.succeed("ann", HOME)
    fail(limits, FREE + 1)
    assert limits.begin("ann", HOME) == 0
    assert limits.begin("ann", ATTACKER) > 0


def test_success_forgets_failures_of_the_name(limits: AttemptLimits) -> None:
    fail(limits, FREE)
    limits.succeed("ann", ATTACKER)
    assert fail(limits, FREE, address=HOME) == [0] * FREE


def test_own_success_does_not_reset_the_address(limits: AttemptLimits) -> None:
    for number in range(attempts.FREE_FAILURES["address"]):
        limits.begin(f"user{number}", ATTACKER)
        if limits.begin("mine", ATTACKER) == 0:
            limits.succeed("mine", ATTACKER)
    assert limits.begin("next", ATTACKER) > 0


def test_failures_are_forgotten_after_a_while(limits: AttemptLimits, clock: Clock) -> None:
    fail(limits, FREE)
    clock.now += attempts.FORGET_AFTER + 1
    assert fail(limits, FREE) == [0] * FREE


def test_memory_is_bounded(limits: AttemptLimits, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(attempts, "MAX_ENTRIES", 50)
    for number in range(200):
        limits.begin(f"user{number}", f"address{number}")
        limits.succeed(f"user{number}", f"address{number}")
        limits.begin(f"other{number}", f"address{number}")
    assert max(len(limits._failures), len(limits._signed_in)) <= 52


@pytest.mark.parametrize(
    ("one", "other"),
    [("2001:db8::1", "2001:db8::ffff:2"), ("::ffff:192.0.2.1", "192.0.2.1"), ("2001:db8::1", "2001:DB8:0::1")],
)
def test_addresses_of_one_client_are_equal(one: str, other: str) -> None:
    assert address_network(one) == address_network(other)


@pytest.mark.parametrize(("one", "other"), [("2001:db8::1", "2001:db8:0:1::1"), ("192.0.2.1", "192.0.2.2")])
def test_addresses_of_two_clients_differ(one: str, other: str) -> None:
    assert address_network(one) != address_network(other)


# ── The authenticators with a password form ──────────────────────────────────────────────────────────────────


class Form(GroupsAuthenticator):
    """Accepts the password `right`; `down` is an outage of the directory."""

    verified = 0

    async def verify_password(self, _handler: Any, data: dict[str, str]) -> AuthModel | None:
        self.verified += 1
        if data["password"] == "down":
            raise web.HTTPError(503)
        right = data["password"] == "right"
        return self.build_auth_model(data["username"], frozenset({"staff"}), {}) if right else None

    async def revoke_if_denied(self, _handler: Any, auth_model: AuthModel | None) -> AuthModel | None:
        return auth_model


def request(peer: str, forwarded: str = "", sent_from: str = "same-origin") -> SimpleNamespace:
    connection = SimpleNamespace(context=SimpleNamespace(address=(peer, 50000)))
    return SimpleNamespace(connection=connection, remote_ip=forwarded or peer, headers={"Sec-Fetch-Site": sent_from})


def sign_in(form: Form, password: str, name: str = "ann", peer: str = ATTACKER) -> AuthModel | None:
    handler = SimpleNamespace(request=request(peer))
    return asyncio.run(form.authenticate(handler, {"username": name, "password": password}))


def test_guesses_are_rejected_without_asking_the_directory() -> None:
    form = Form()
    assert [sign_in(form, "guess") for _ in range(FREE)] == [None] * FREE
    with pytest.raises(web.HTTPError) as caught:
        sign_in(form, "right", name="ANN")
    assert (caught.value.status_code, caught.value.headers["Retry-After"]) == (429, "1")  # type: ignore[attr-defined]
    assert form.verified == FREE


@pytest.mark.parametrize("sent_from", ["same-site", "cross-site"])
def test_password_form_of_another_origin_is_rejected(sent_from: str) -> None:
    form = Form()
    handler = SimpleNamespace(request=request(HOME, sent_from=sent_from))
    with pytest.raises(web.HTTPError, match="403"):
        asyncio.run(form.authenticate(handler, {"username": "ann", "password": "right"}))
    assert form.verified == 0


def test_parallel_guesses_count_at_once() -> None:
    form = Form()

    async def guess() -> list[Any]:
        data = {"username": "ann", "password": "guess"}
        handlers = [SimpleNamespace(request=request(ATTACKER)) for _ in range(50)]
        return await asyncio.gather(*(form.authenticate(one, data) for one in handlers), return_exceptions=True)

    asyncio.run(guess())
    assert form.verified == FREE


def test_outage_of_directory_is_no_failure() -> None:
    form = Form()
    for _ in range(FREE + 1):
        with pytest.raises(web.HTTPError, match="503"):
            sign_in(form, "down")
    assert sign_in(form, "right") is not None


@pytest.mark.parametrize(("peer", "counted"), [("127.0.0.1", HOME), ("172.19.0.9", "172.19.0.9")])
def test_only_the_proxy_names_the_client(peer: str, counted: str) -> None:
    """Labs reach the hub directly and can send X-Forwarded-For."""
    assert asyncio.run(client_address(request(peer, HOME), "127.0.0.1")) == counted
