"""Delivery of logout tokens to clients (OpenID Connect Back-Channel Logout 1.0 §2.4, §2.5, §2.8).

Deliveries wait in the store, so a restart loses none, and every worker leases and delivers them. The number of threads
per client is limited, so a client that does not respond delays only its own deliveries.
"""

import threading
from collections import Counter
from collections.abc import Callable

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


class Deliverer:
    """Delivers logout tokens in threads; `start_due` must be called regularly.

    `post` has the signature of `bridge.connection.post_form`.
    """

    def __init__(self, provider: ProviderContext, *, post: Callable[..., int] = post_form) -> None:
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
                    with self._lock:
                        self._running -= Counter([delivery.client_id])
                delivery = self._lease()
        except Exception as error:  # noqa: BLE001  the lease expires, and then a worker retries
            log.warning("logout_delivery_interrupted", detail=type(error).__name__)

    def _deliver(self, delivery: LogoutDelivery) -> None:
        facts = {"client": delivery.client_id, "delivery": delivery.delivery_id, "attempt": delivery.attempts}
        # The URI registered now, so that correcting it helps deliveries already queued.
        client = self._provider.clients.get(delivery.client_id)
        uri = None if client is None else client.backchannel_logout_uri
        if client is None or uri is None:
            error, next_at = "the client has no back-channel logout URI any more", None
        else:
            error, next_at = self._attempt(delivery, client, uri), next_attempt(delivery, now=self._provider.now())
        if error:
            self._provider.store.deliveries.mark_failed(delivery.delivery_id, error=error, next_attempt_at=next_at)
            event = "logout_delivery_failed" if next_at is not None else "logout_delivery_given_up"
            log.warning(event, **facts, error=error, next_attempt_at=next_at)
        else:
            self._provider.store.deliveries.delete(delivery.delivery_id)
            log.info("logout_token_delivered", **facts)

    def _attempt(self, delivery: LogoutDelivery, client: Client, uri: str) -> str:
        """Send a logout token once (§2.8), and return why the client did not accept it, or an empty text."""
        # base64url and dots need no percent-encoding.
        form = f"logout_token={logout_token(self._provider, client, delivery)}"
        try:
            status = self._post(uri, form, seconds=ATTEMPT_SECONDS)
        except NoResponse as error:
            return str(error)
        if status in (200, 204):
            return ""
        return f"answered with status {status}" + " (not followed)" * (300 <= status < 400)


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
