"""Delivery of logout tokens to clients (OpenID Connect Back-Channel Logout 1.0 §2.4, §2.5, §2.8).

Deliveries wait in the store, so a restart loses none, and every worker leases and delivers them. The number of threads
per client is limited, so a client that does not respond delays only its own deliveries.
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
# After this time another worker retries the delivery of a worker that was killed.
LEASE_SECONDS = 10
RETRY_DELAYS_SECONDS = (5, 30, 120, 600, 3600)  # the last one repeats
GIVE_UP_SECONDS = 24 * 3600
MAX_THREADS = 16
MAX_THREADS_PER_CLIENT = 4

log = structlog.get_logger()


class Post(Protocol):
    """Signature of `bridge.connection.post_form`."""

    def __call__(self, url: str, form: str, *, seconds: float) -> int:
        """Send a form and return the HTTP status; raise NoResponse if there is none."""


class DeliveryError(Exception):
    """A failed attempt. The text is for the log and for the list of deliveries."""

    def __init__(self, reason: str, *, is_final: bool = False) -> None:
        self.is_final = is_final
        super().__init__(reason)


class Deliverer:
    """Delivers logout tokens in threads; `start_due` must be called regularly."""

    def __init__(self, provider: ProviderContext, *, post: Post = post_form) -> None:
        self._provider = provider
        self._post = post
        self._lock = threading.Lock()
        self._running: Counter[str] = Counter()

    def start_due(self) -> None:
        """Start a thread for each due delivery, up to the limit, and return at once."""
        while self._running.total() < MAX_THREADS and (delivery := self._lease()) is not None:
            threading.Thread(target=self._work, args=(delivery,), daemon=True, name="logout-token").start()

    def _lease(self) -> LogoutDelivery | None:
        """Lease one due delivery; skip clients at their limit."""
        with self._lock:
            busy = [client_id for client_id, count in self._running.items() if count >= MAX_THREADS_PER_CLIENT]
            due = self._provider.store.deliveries.lease_due(
                now=self._provider.now(), lease=LEASE_SECONDS, limit=1, excluded_clients=busy
            )
            self._running.update(delivery.client_id for delivery in due)
        return due[0] if due else None

    def _work(self, first: LogoutDelivery) -> None:
        """Deliver, and continue with the next one, because a thread costs more than a delivery."""
        delivery: LogoutDelivery | None = first
        try:
            while delivery is not None:
                try:
                    self._deliver(delivery)
                finally:
                    self._release(delivery.client_id)
                delivery = self._lease()
        except Exception as error:  # noqa: BLE001  the lease expires, and then a worker retries
            log.warning("logout_delivery_interrupted", detail=type(error).__name__)

    def _release(self, client_id: str) -> None:
        with self._lock:
            self._running[client_id] -= 1
            if not self._running[client_id]:
                del self._running[client_id]

    def _deliver(self, delivery: LogoutDelivery) -> None:
        facts = {"client": delivery.client_id, "delivery": delivery.delivery_id, "attempt": delivery.attempts}
        try:
            self._attempt(delivery)
        except DeliveryError as failure:
            next_at = None if failure.is_final else next_attempt(delivery, now=self._provider.now())
            self._provider.store.deliveries.mark_failed(
                delivery.delivery_id, error=str(failure), next_attempt_at=next_at
            )
            event = "logout_delivery_failed" if next_at is not None else "logout_delivery_given_up"
            log.warning(event, **facts, error=str(failure), next_attempt_at=next_at)
        else:
            self._provider.store.deliveries.delete(delivery.delivery_id)
            log.info("logout_token_delivered", **facts)

    def _attempt(self, delivery: LogoutDelivery) -> None:
        """Send a logout token once (§2.8).

        Raises:
            DeliveryError: The client did not accept it.
        """
        client = self._provider.clients.get(delivery.client_id)
        if client is None or client.backchannel_logout_uri is None:
            raise DeliveryError("the client has no back-channel logout URI any more", is_final=True)
        # base64url and dots need no percent-encoding.
        form = f"logout_token={logout_token(self._provider, client, delivery)}"
        try:
            # The URI registered now, so that correcting it helps deliveries already queued.
            status = self._post(client.backchannel_logout_uri, form, seconds=ATTEMPT_SECONDS)
        except NoResponse as error:
            raise DeliveryError(str(error)) from None
        if status not in (200, 204):
            raise DeliveryError(f"answered with status {status}" + " (not followed)" * (300 <= status < 400))


def logout_token(provider: ProviderContext, client: Client, delivery: LogoutDelivery) -> str:
    """Return a signed logout token (§2.4), without nonce so that it cannot pass for an ID token."""
    now = provider.now()
    claims = {
        "iss": provider.issuer,
        "aud": client.client_id,
        "iat": now,
        "exp": now + TOKEN_LIFETIME_SECONDS,
        "jti": provider.new_secret(),
        "events": {LOGOUT_EVENT: {}},
        "sub": provider.claims.subject(delivery.subject, client),
        "sid": provider.claims.sid_of(delivery.sid, client),
    }
    return provider.keys.sign(claims, algorithm=client.id_token_signed_response_alg, typ="logout+jwt")


def next_attempt(delivery: LogoutDelivery, *, now: int) -> int | None:
    """Return the time of the next attempt, or None after a day of failures."""
    retry_at = now + RETRY_DELAYS_SECONDS[min(delivery.attempts, len(RETRY_DELAYS_SECONDS)) - 1]
    return retry_at if retry_at <= delivery.created_at + GIVE_UP_SECONDS else None
