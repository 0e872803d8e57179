"""Telling clients that a session ended (OpenID Connect Back-Channel Logout 1.0 §2.4, §2.5, §2.8).

Whom to tell waits in the store, so nothing is forgotten when the bridge is restarted, and every worker of every host
delivers: what one has taken, no other takes. Each client that does not answer keeps its own few threads waiting and
nobody else's.
"""

from __future__ import annotations

import threading
from collections import Counter
from typing import Protocol

import structlog

from bridge.connection import NoResponse, post_form
from bridge.oauth.clients import Client
from bridge.oauth.provider_context import ProviderContext
from bridge.store import LogoutDelivery

LOGOUT_EVENT = "http://schemas.openid.net/event/backchannel-logout"
TOKEN_LIFETIME_SECONDS = 120  # §2.4 recommends two minutes at most
ATTEMPT_SECONDS = 5.0
# How long others wait for a worker that was killed in the middle of an attempt.
LEASE_SECONDS = 10
PAUSES_SECONDS = (5, 30, 120, 600, 3600)  # the last one again and again
GIVE_UP_SECONDS = 24 * 3600
AT_ONCE = 16
AT_ONCE_PER_CLIENT = 4

log = structlog.get_logger()


class Post(Protocol):
    """How a form reaches a client; see `bridge.connection.post_form`."""

    def __call__(self, url: str, form: str, *, seconds: float) -> int:
        """The status of the answer. Raises NoResponse."""


class Undeliverable(Exception):  # noqa: N818  it says what happened
    """The client does not know yet. The text is for the log and for `passerelle logout-deliveries list`."""

    def __init__(self, why: str, *, cache_loggers: bool = False) -> None:
        self.cache_loggers = cache_loggers
        super().__init__(why)


class Deliverer:
    """Delivers what is due, several at once; `start_due` returns at once and is called again and again."""

    def __init__(self, provider: ProviderContext, *, post: Post = post_form) -> None:
        self._authority = provider
        self._post = post
        self._lock = threading.Lock()
        self._under_way: Counter[str] = Counter()

    def start_due(self) -> None:
        """A thread for each delivery that is due, as long as there are threads left."""
        while self._under_way.total() < AT_ONCE and (delivery := self._take()) is not None:
            threading.Thread(target=self._work, args=(delivery,), daemon=True, name="logout-token").start()

    def _take(self) -> LogoutDelivery | None:
        """One that is due, of a client that does not keep us waiting."""
        with self._lock:
            busy = [client_id for client_id, count in self._under_way.items() if count >= AT_ONCE_PER_CLIENT]
            due = self._authority.store.deliveries.take_due(
                now=self._authority.now(), lease=LEASE_SECONDS, limit=1, not_for=busy
            )
            self._under_way.update(delivery.client_id for delivery in due)
        return due[0] if due else None

    def _work(self, first: LogoutDelivery) -> None:
        """Deliver, and go on with the next: a thread costs more than a delivery."""
        delivery: LogoutDelivery | None = first
        try:
            while delivery is not None:
                try:
                    self._deliver(delivery)
                finally:
                    self._release(delivery.client_id)
                delivery = self._take()
        except Exception as error:  # noqa: BLE001  the lease ends, and whoever takes it next may find things well
            log.warning("logout_delivery_broke_off", detail=type(error).__name__)

    def _release(self, client_id: str) -> None:
        with self._lock:
            self._under_way[client_id] -= 1
            if not self._under_way[client_id]:
                del self._under_way[client_id]

    def _deliver(self, delivery: LogoutDelivery) -> None:
        facts = {"client": delivery.client_id, "delivery": delivery.delivery_id, "attempt": delivery.attempts}
        try:
            self._attempt(delivery)
        except Undeliverable as failure:
            next_at = None if failure.cache_loggers else next_attempt(delivery, now=self._authority.now())
            self._authority.store.deliveries.failed(delivery.delivery_id, error=str(failure), next_attempt_at=next_at)
            event = "logout_delivery_failed" if next_at is not None else "logout_delivery_given_up"
            log.warning(event, **facts, error=str(failure), next_attempt_at=next_at)
        else:
            self._authority.store.deliveries.delivered(delivery.delivery_id)
            log.info("logout_token_delivered", **facts)

    def _attempt(self, delivery: LogoutDelivery) -> None:
        """Raise Undeliverable unless the client has taken the token (§2.8)."""
        client = self._authority.clients.get(delivery.client_id)
        if client is None or client.backchannel_logout_uri is None:
            raise Undeliverable("the client is not registered for it any more", cache_loggers=True)
        # Characters of base64url and dots: nothing in it needs to be encoded.
        form = f"logout_token={logout_token(self._authority, client, delivery)}"
        try:
            # Where it is registered now: whoever corrects a wrong address need not wait for another logout.
            status = self._post(client.backchannel_logout_uri, form, seconds=ATTEMPT_SECONDS)
        except NoResponse as error:
            raise Undeliverable(str(error)) from None
        if status not in (200, 204):
            raise Undeliverable(f"answered with status {status}" + " (not followed)" * (300 <= status < 400))


def logout_token(provider: ProviderContext, client: Client, delivery: LogoutDelivery) -> str:
    """§2.4, for this client, with the subject as it knows it. No nonce: it must not pass for an ID token."""
    now = provider.now()
    claims = {
        "iss": provider.issuer,
        "aud": client.client_id,
        "iat": now,
        "exp": now + TOKEN_LIFETIME_SECONDS,
        "jti": provider.new_secret(),
        "events": {LOGOUT_EVENT: {}},
        "sub": provider.claims.subject_of(delivery.subject, client),
        "sid": provider.claims.sid_of(delivery.sid, client),
    }
    return provider.keys.sign(claims, algorithm=client.id_token_signed_response_alg, typ="logout+jwt")


def next_attempt(delivery: LogoutDelivery, *, now: int) -> int | None:
    """When to try again after this attempt; None when a day has brought nothing."""
    moment = now + PAUSES_SECONDS[min(delivery.attempts, len(PAUSES_SECONDS)) - 1]
    return moment if moment <= delivery.created_at + GIVE_UP_SECONDS else None
