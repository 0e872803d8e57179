"""What can be asked of a store, in intentions. Every method is one transaction; only `purge` takes several."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Protocol

from bridge.store.records import (
    AccessToken,
    AuthorizationCode,
    ClientAccess,
    Grant,
    LogoutDelivery,
    Minted,
    PendingLogin,
    RefreshToken,
    Session,
    SigningKey,
    StoredClient,
)
from bridge.store.results import AlreadyConsumed, Consumed, ExpiredLogin, UnknownLogin


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
        """Sign a browser in. The ticket is how CAS names the session when it ends it.

        False when CAS has ended it since the ticket took its login, and nothing was changed.
        """

    def renew(self, session: Session, *, ticket_hash: str) -> bool:
        """The same user proved again who they are in the same browser: a new cookie, the same `sid`.

        Everything given out under the session stays; every ticket it ever had still ends it. False when it has
        ended meanwhile, and nothing was changed: then a new one has to begin.
        """

    def find(self, cookie_hash: str, *, now: int) -> Session | None:
        """A session that has neither ended nor expired."""

    def has_ended(self, cookie_hash: str) -> bool:
        """Whether this was a session that somebody other than CAS ended, and is still remembered."""

    def find_by_sid(self, sid: str, *, now: int) -> Session | None:
        """Likewise, by its public name."""

    def all(self, *, now: int) -> Sequence[Session]:
        """All live sessions, the newest first."""

    def newest(self, *, limit: int) -> Sequence[Session]:
        """The last that began, the newest first; ended and expired ones too, while they are remembered."""

    def of_subject(self, subject: str, *, now: int) -> Sequence[Session]:
        """All live sessions of a user, the newest first."""

    def last_ended_by_cas(self) -> int | None:
        """When CAS last ended a session that is still remembered, in Unix seconds."""

    def end(
        self, sid: str, *, now: int, tell: Callable[[str], str | None] = lambda _client_id: None
    ) -> Sequence[tuple[str, str]] | None:
        """End a session and revoke every grant under it that is not offline.

        `tell` gives the address where a client wants to be told, if it does: a delivery to there is queued in the
        same transaction, so that a bridge which is killed just then forgets nobody. (client_id, subject) of each
        client that held a grant under it; None when it had ended before, so that nobody is told twice.
        """

    def end_by_ticket(
        self,
        ticket_hash: str,
        *,
        now: int,
        tell: Callable[[str], str | None] = lambda _client_id: None,
        offline_too: bool = False,
    ) -> Sequence[str]:
        """CAS has ended what it gave this ticket for: end the session that it began or renewed, likewise.

        So end the user's other sessions in the same browser, for which CAS may have no name; and while the ticket's
        own session is about to begin (which it then will not), all that the browser has. Also expired ones, because
        what was given out under them may live on. With `offline_too` every grant under them is revoked, also under
        those that ended before. The sids that ended by this.
        """


class Grants(Protocol):
    """What was allowed, and the codes and tokens given out for it."""

    def begin_with_code(self, grant: Grant, code: AuthorizationCode) -> None:
        """Remember a grant, and the code that is handed to the browser for it.

        When its session has ended meanwhile, it is revoked from the start.
        """

    def begin_with_token(self, grant: Grant, build_token_records: Minted) -> None:
        """Remember a grant of a client that acts for itself, and its token."""

    def redeem_code(
        self,
        code_hash: str,
        *,
        now: int,
        mint: Callable[[AuthorizationCode, Grant], Minted],
        reused: Callable[[Grant], None] = ...,
    ) -> bool:
        """Redeem a code, once: of many callers one gets True, and its tokens are stored in the same transaction.

        `mint` may raise to refuse; the code is spent all the same and nothing is stored. A second redemption
        revokes the whole grant (RFC 9700 §4.2.4) and tells `reused` of it. False also for an unknown or expired
        code, and for one whose grant was revoked.
        """

    def rotate_refresh_token(
        self,
        token_hash: str,
        *,
        now: int,
        grace: int,
        mint: Callable[[RefreshToken, Grant], Minted],
        reused: Callable[[Grant], None] = ...,
    ) -> bool:
        """Replace a refresh token, once: of many callers one stores the successor, in the same transaction.

        `mint` has to give the same tokens at every call: whoever repeats the request within `grace` seconds of
        the rotation gets True as well, as long as the successor was not used yet, because an answer can be lost
        on its way. Later, or after that, a repetition is reuse: the whole grant is revoked (RFC 9700 §4.14.2),
        and `reused` is told of it.
        `mint` may raise to refuse; then nothing changes.
        """

    def find_access_token(self, token_hash: str, *, now: int) -> tuple[AccessToken, Grant] | None:
        """A token that is neither expired nor revoked, and whose grant is not revoked."""

    def find_refresh_token(self, token_hash: str, *, now: int) -> tuple[RefreshToken, Grant] | None:
        """Likewise, and not replaced yet."""

    def revoke_access_token(self, token_hash: str, *, client_id: str, now: int) -> bool:
        """Take back one access token of this client; False when there is none."""

    def revoke_by_refresh_token(self, token_hash: str, *, client_id: str, now: int) -> bool:
        """Take back a whole grant of this client by any of its refresh tokens; False when there is none."""

    def revoke_client_of_subject(self, client_id: str, subject: str, *, now: int) -> int:
        """Take back all that a user allowed a client; how many grants."""

    def revoke_subject(self, subject: str, *, now: int) -> int:
        """Take back all that a user allowed anybody, offline access too; how many grants."""

    def subjects_named(self, username: str) -> Sequence[str]:
        """The subjects of all grants that are not revoked whose user has this name, in whatever case."""

    def revoke_client(self, client_id: str, *, now: int) -> int:
        """Take back all that a client holds, and forget who agreed to it: it was removed or disabled."""

    def access_of_subject(self, subject: str, *, now: int) -> Sequence[ClientAccess]:
        """The applications that hold access to a user's data now."""

    def consented_scope(self, client_id: str, subject: str) -> str:
        """The scopes that a user has agreed to give this client; empty for none."""

    def remember_consent(self, client_id: str, subject: str, scope: str, *, now: int) -> None:
        """Add to what a user has agreed to."""


class Keys(Protocol):
    """Signing keys."""

    def add(self, key: SigningKey, *, after: str | None) -> bool:
        """Keep this key as the successor of the newest of its algorithm, which has to be `after` (a kid).

        False when another worker was faster, so that of many at once one adds.
        """

    def all(self) -> Sequence[SigningKey]:
        """All keys, of each algorithm the last added first."""

    def remove(self, kid: str) -> None:
        """Forget a key that nothing signed with it can outlive."""


class Clients(Protocol):
    """Clients that `passerelle clients` manages."""

    def version(self) -> int:
        """Grows with every change, so that workers know when to read again."""

    def all(self) -> Sequence[StoredClient]:
        """All of them, by client_id."""

    def put(self, client: StoredClient, *, now: int) -> None:
        """Add or replace."""

    def remove(self, client_id: str) -> bool:
        """Forget; False when there is none."""

    def change_all(
        self,
        put: Sequence[StoredClient],
        remove: Collection[str],
        *,
        revoke: Collection[str],
        seen: int,
        now: int,
    ) -> int | None:
        """Add or replace these, forget those, and take back all that the third hold; how many grants.

        None, and nothing of it was done, when anything was changed since the version was `seen`.
        """


class Deliveries(Protocol):
    """Logout tokens that have to reach clients."""

    def queue(self, entries: Sequence[tuple[str, str, str, str]], *, now: int) -> None:
        """Add (client_id, sid, subject, uri) entries, due at once."""

    def take_due(self, *, now: int, lease: int, limit: int, not_for: Collection[str] = ()) -> Sequence[LogoutDelivery]:
        """Take what is due for `lease` seconds, except for these clients: of many workers, one gets each."""

    def delivered(self, delivery_id: int) -> None:
        """The client knows; forget the entry."""

    def failed(self, delivery_id: int, *, error: str, next_attempt_at: int | None) -> None:
        """Try again then, or never (None): the entry stays visible with its error."""

    def waiting(self) -> Sequence[LogoutDelivery]:
        """All that is not delivered, the oldest first."""


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
        """Delete what nobody can use any more, and could not for some minutes; how many rows of each table."""

    def totals(self, *, now: int) -> Mapping[str, int]:
        """How many there are just now: `sessions`, `logout_deliveries_waiting`, `logout_deliveries_given_up`."""

    def check(self) -> None:
        """Raise when the database does not answer."""

    def close(self) -> None:
        """Let go of the connections."""
