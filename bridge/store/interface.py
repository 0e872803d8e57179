"""The store's interface. Every method is one transaction; only `purge` takes several.

Times are Unix seconds, durations seconds.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Protocol

from bridge.store.records import (
    AccessToken,
    AuthorizationCode,
    ClientAccess,
    Grant,
    LogoutDelivery,
    PendingLogin,
    RefreshToken,
    Session,
    SigningKey,
    StoredClient,
    TokenRecords,
)
from bridge.store.results import (
    AlreadyConsumed,
    Consumed,
    ExpiredLogin,
    IssueT,
    Redeemed,
    Reused,
    Unknown,
    UnknownLogin,
)

LogoutUri = Callable[[str], str | None]
"""Returns the back-channel logout URI of a client_id, if it has one."""


class PendingLogins(Protocol):
    """Authorization requests waiting for CAS."""

    def save(self, login: PendingLogin) -> None:
        """Store a login before the browser is sent to CAS."""

    def consume(
        self, state_hash: str, *, browser_hash: str, ticket_hash: str, now: int
    ) -> Consumed | AlreadyConsumed | ExpiredLogin | UnknownLogin:
        """Consume a login of this browser with a ticket. Of concurrent callers, exactly one gets `Consumed`.

        A ticket consumes one login at most, so `AlreadyConsumed` also stands for a ticket that was used before.
        """

    def consume_newest(
        self, *, browser_hash: str, ticket_hash: str, now: int, gateway_only: bool = False
    ) -> Consumed | AlreadyConsumed | UnknownLogin:
        """Consume the newest login of this browser, for a CAS server whose callback URL cannot name the login.

        Args:
            browser_hash: Hash of the login cookie.
            ticket_hash: Hash of the ticket from the callback.
            now: Unix seconds.
            gateway_only: Consider only logins sent to CAS with `gateway=true`.
        """

    def find(self, state_hash: str, *, browser_hash: str) -> PendingLogin | None:
        """Return a login of this browser, consumed or not."""


class Sessions(Protocol):
    """Browsers signed in at the bridge."""

    def begin(self, session: Session, *, ticket_hash: str) -> bool:
        """Store a session, and the ticket by which CAS ends it.

        Returns:
            False, with nothing changed, if CAS ended the ticket's session after the login was consumed.
        """

    def renew(self, session: Session, *, ticket_hash: str) -> bool:
        """Give a session a new cookie and identity after the user authenticated again; its `sid` stays.

        Grants of the session stay. Each of its tickets still ends it.

        Returns:
            False, with nothing changed, if the session has ended; then begin a new one.
        """

    def find(self, cookie_hash: str, *, now: int) -> Session | None:
        """Return a session that has neither ended nor expired."""

    def has_ended(self, cookie_hash: str) -> bool:
        """Return whether this session was ended, but not by CAS."""

    def find_by_sid(self, sid: str, *, now: int) -> Session | None:
        """Return a session that has neither ended nor expired, by its `sid`."""

    def list_active(self, *, now: int) -> Sequence[Session]:
        """Return all active sessions, newest first."""

    def list_newest(self, *, limit: int) -> Sequence[Session]:
        """Return the newest sessions, ended and expired ones included."""

    def list_by_subject(self, subject: str, *, now: int) -> Sequence[Session]:
        """Return a user's active sessions, newest first."""

    def last_ended_by_cas(self) -> int | None:
        """Return when CAS last ended a session."""

    def end(
        self, sid: str, *, now: int, logout_uri: LogoutUri = lambda _client_id: None
    ) -> Sequence[tuple[str, str]] | None:
        """End a session and revoke its grants, except those with offline access.

        The logout tokens are queued in the same transaction, so that a crash loses none.

        Args:
            sid: The session's public identifier.
            now: Unix seconds.
            logout_uri: Returns where to send a client's logout token, if anywhere.

        Returns:
            The (client_id, subject) of each client with a grant, or None if the session had ended before.
        """

    def end_by_ticket(
        self,
        ticket_hash: str,
        *,
        now: int,
        logout_uri: LogoutUri = lambda _client_id: None,
        include_offline: bool = False,
    ) -> Sequence[str]:
        """End the session that a ticket began or renewed, because CAS ended its own.

        The user's other sessions in the same browser end too, because CAS may not know their tickets. While the
        ticket's session is about to begin, all sessions of the browser end, and that session will not begin. Expired
        sessions are included, because their grants may still be valid.

        Args:
            ticket_hash: Hash of the ticket that CAS names.
            now: Unix seconds.
            logout_uri: Returns where to send a client's logout token, if anywhere.
            include_offline: Revoke grants with offline access too, also those of sessions that ended before.

        Returns:
            The `sid` of each session that ended now.
        """


class Grants(Protocol):
    """Grants, and the codes and tokens issued under them."""

    def begin_with_code(self, grant: Grant, code: AuthorizationCode) -> None:
        """Store a grant and its authorization code; revoke the grant if its session has ended."""

    def begin_with_token(self, grant: Grant, records: TokenRecords) -> None:
        """Store a grant without a user, and its access token (RFC 6749 §4.4)."""

    def redeem_code(
        self, code_hash: str, *, now: int, build: Callable[[Grant], IssueT]
    ) -> Redeemed[IssueT] | Reused | Unknown:
        """Redeem a code. Of concurrent callers, exactly one gets `Redeemed`; its tokens are stored with that.

        Any later redemption revokes the grant (RFC 9700 §4.2.4).

        Args:
            code_hash: Hash of the code.
            now: Unix seconds.
            build: Checks the request and builds the tokens. If it raises, the code is spent and no token is stored.
        """

    def rotate_refresh_token(
        self, token_hash: str, *, now: int, grace: int, build: Callable[[Grant], IssueT]
    ) -> Redeemed[IssueT] | Reused | Unknown:
        """Replace a refresh token. Of concurrent callers, exactly one stores the successor.

        A response can get lost, so a repetition within `grace` seconds is `Redeemed` too, until the successor is
        used. Any other repetition is reuse and revokes the grant (RFC 9700 §4.14.2).

        Args:
            token_hash: Hash of the refresh token.
            now: Unix seconds.
            grace: Seconds after the rotation.
            build: Checks the request and builds the tokens, the same ones at every call. If it raises, nothing
                changes.
        """

    def find_access_token(self, token_hash: str, *, now: int) -> tuple[AccessToken, Grant] | None:
        """Return an access token that is neither expired nor revoked, with its grant."""

    def find_refresh_token(self, token_hash: str, *, now: int) -> tuple[RefreshToken, Grant] | None:
        """Return a refresh token that is neither expired, revoked nor rotated, with its grant."""

    def revoke_access_token(self, token_hash: str, *, client_id: str, now: int) -> bool:
        """Revoke one access token of this client; return False if it has none such."""

    def revoke_by_refresh_token(self, token_hash: str, *, client_id: str, now: int) -> bool:
        """Revoke the grant of any of this client's refresh tokens; return False if it has none such."""

    def revoke_client_of_subject(self, client_id: str, subject: str, *, now: int) -> int:
        """Revoke a user's grants to a client, and the consent; return the number of grants."""

    def revoke_subject(self, subject: str, *, now: int) -> int:
        """Revoke a user's grants to all clients, offline access included; return their number."""

    def find_subjects(self, username: str) -> Sequence[str]:
        """Return the subjects of active grants whose user has this name, ignoring case."""

    def revoke_client(self, client_id: str, *, now: int) -> int:
        """Revoke all grants and consents of a client; return the number of grants."""

    def list_client_access(self, subject: str, *, now: int) -> Sequence[ClientAccess]:
        """Return the clients that have access to a user's data now."""

    def consented_scope(self, client_id: str, subject: str) -> str:
        """Return the scope that a user consented to for a client; empty for none."""

    def add_consent(self, client_id: str, subject: str, scope: str, *, now: int) -> None:
        """Add a scope to a user's consent for a client."""


class Keys(Protocol):
    """Signing keys."""

    def add(self, key: SigningKey, *, after: str | None) -> bool:
        """Add a key if the newest of its algorithm is still `after` (a kid).

        Returns:
            False if another worker added a key first.
        """

    def all(self) -> Sequence[SigningKey]:
        """Return all keys, for each algorithm the newest first."""

    def remove(self, kid: str) -> None:
        """Delete a key."""


class Clients(Protocol):
    """Clients that `passerelle clients` manages."""

    def version(self) -> int:
        """Return a number that grows with every change, so that workers notice changes."""

    def all(self) -> Sequence[StoredClient]:
        """Return all clients by client_id."""

    def put(self, client: StoredClient, *, now: int) -> None:
        """Add or replace a client."""

    def remove(self, client_id: str) -> bool:
        """Delete a client; return False if there is none."""

    def change_all(
        self,
        put: Sequence[StoredClient],
        remove: Collection[str],
        *,
        revoke: Collection[str],
        seen: int,
        now: int,
    ) -> int | None:
        """Change several clients at once, unless any client has changed since.

        Args:
            put: Clients to add or replace.
            remove: client_ids to delete.
            revoke: client_ids whose grants and consents to revoke.
            seen: The version on which the change is based.
            now: Unix seconds.

        Returns:
            The number of revoked grants, or None if the version is another and nothing was done.
        """


class Deliveries(Protocol):
    """The queue of logout tokens."""

    def queue(self, entries: Sequence[tuple[str, str, str, str]], *, now: int) -> None:
        """Add (client_id, sid, subject, uri) entries, due at once."""

    def lease_due(
        self, *, now: int, lease: int, limit: int, excluded_clients: Collection[str] = ()
    ) -> Sequence[LogoutDelivery]:
        """Lease due deliveries for `lease` seconds; no other worker gets them meanwhile."""

    def delete(self, delivery_id: int) -> None:
        """Delete a delivery that succeeded."""

    def mark_failed(self, delivery_id: int, *, error: str, next_attempt_at: int | None) -> None:
        """Schedule the next attempt; with None the delivery is given up but stays listed with its error."""

    def list_waiting(self) -> Sequence[LogoutDelivery]:
        """Return all undelivered entries, oldest first."""


class Store(Protocol):
    """Everything that must survive a restart."""

    @property
    def pending_logins(self) -> PendingLogins: ...
    @property
    def sessions(self) -> Sessions: ...
    @property
    def grants(self) -> Grants: ...
    @property
    def keys(self) -> Keys: ...
    @property
    def clients(self) -> Clients: ...
    @property
    def deliveries(self) -> Deliveries: ...

    def purge(self, *, now: int) -> Mapping[str, int]:
        """Delete rows that expired some minutes ago; return their number by table."""

    def totals(self, *, now: int) -> Mapping[str, int]:
        """Count `sessions`, `logout_deliveries_waiting` and `logout_deliveries_given_up`."""

    def check(self) -> None:
        """Raise `StoreFailure` if the database does not respond."""

    def close(self) -> None:
        """Close the connections."""
