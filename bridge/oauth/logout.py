"""Logout requests, and the end of a session.

OpenID Connect RP-Initiated Logout 1.0 §2, §3; Back-Channel Logout 1.0 §2.1, §2.7.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import structlog

from bridge.errors.oauth import InvalidRequest, OAuthError, UnknownClient
from bridge.oauth.authorization_checks import check_lengths
from bridge.oauth.clients import Client, ClientRegistry, loggable_uri
from bridge.oauth.parameters import Parameters, add_query, check_not_repeated, single_values
from bridge.oauth.provider_context import ProviderContext
from bridge.store import Session, Store, fingerprint
from passerelle_common.i18n import gettext_noop

log = structlog.get_logger()

KNOWN_PARAMETERS = ("id_token_hint", "client_id", "post_logout_redirect_uri", "state", "ui_locales", "logout_hint")

INVALID_HINT = gettext_noop(
    "The sign-out request of the application could not be verified, so nothing was changed. "
    "You can sign out here: %(address)s"
)
MISSING_CLIENT = gettext_noop(
    "The sign-out request names an address to return to, but not the application (client_id or id_token_hint), so "
    "nothing was changed. You can sign out here: %(address)s"
)
INVALID_REDIRECT = gettext_noop(
    "The sign-out request names an address that is not registered for this, so nothing was changed. "
    "You can sign out here: %(address)s"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class LogoutRequest:
    """A logout request that passed every check. The session decides whether to ask the user."""

    client: Client | None
    """The client that the request names, if any."""
    hint: Mapping[str, Any] | None
    """The claims of the ID token hint, which may be expired."""
    post_logout_redirect_uri: str | None
    state: str | None
    ui_locales: str | None

    @property
    def return_url(self) -> str | None:
        """The post-logout redirect URI with the state, if the client sent one."""
        if self.post_logout_redirect_uri is None or self.state is None:
            return self.post_logout_redirect_uri
        return add_query(self.post_logout_redirect_uri, {"state": self.state})

    def to_parameters(self) -> dict[str, str]:
        """Return the request for the bridge's own forms and URLs, without the hint: it identifies the user."""
        sent = {
            "client_id": None if self.client is None else self.client.client_id,
            "post_logout_redirect_uri": self.post_logout_redirect_uri,
            "state": self.state,
            "ui_locales": self.ui_locales,
        }
        return {name: value for name, value in sent.items() if value is not None}


def check_logout_request(provider: ProviderContext, pairs: Iterable[tuple[str, str]]) -> LogoutRequest:
    """Run every check in order. Each fault is an InvalidRequest or UnknownClient, shown as a page without redirect."""
    parameters, repeated = single_values(pairs)
    check_not_repeated(repeated, KNOWN_PARAMETERS)
    check_lengths(parameters, ("state", "ui_locales"))
    hint = _check_hint(provider, parameters)
    client = _check_client(provider, parameters, hint)
    return LogoutRequest(
        client=client,
        hint=hint,
        post_logout_redirect_uri=_check_return_uri(provider, parameters, client),
        state=parameters.get("state"),
        ui_locales=parameters.get("ui_locales"),
    )


def _check_hint(provider: ProviderContext, parameters: Parameters) -> Mapping[str, Any] | None:
    """Return the claims of an ID token of this issuer, expired or not (§2). Logout tokens are rejected."""
    if "id_token_hint" not in parameters:
        return None
    claims = provider.keys.claims_of(parameters["id_token_hint"])
    if claims is None or claims.get("iss") != provider.issuer or "events" in claims:
        raise _rejected(provider, InvalidRequest, INVALID_HINT, "id_token_hint: not an ID token signed by this issuer")
    if parameters.get("client_id") not in (None, claims.get("aud")):
        detail = "id_token_hint: the ID token was issued to another client than client_id"
        raise _rejected(provider, InvalidRequest, INVALID_HINT, detail)
    return claims


def _check_client(provider: ProviderContext, parameters: Parameters, hint: Mapping[str, Any] | None) -> Client | None:
    """Return the client of `client_id`, else the registered client that the ID token was issued to."""
    if "client_id" not in parameters:
        return None if hint is None else provider.clients.get(str(hint.get("aud")))
    client = provider.clients.get(parameters["client_id"])
    if client is None:
        detail = provider.clients.absence_reason(parameters["client_id"])
        raise _rejected(provider, UnknownClient, INVALID_REDIRECT, detail)
    return client


def _check_return_uri(provider: ProviderContext, parameters: Parameters, client: Client | None) -> str | None:
    """Return the URI if it equals a registered one of the client (§3)."""
    uri = parameters.get("post_logout_redirect_uri")
    if uri is None or (client is not None and uri in client.post_logout_redirect_uris):
        return uri
    if client is None:
        detail = "post_logout_redirect_uri without client_id or a valid id_token_hint"
        raise _rejected(provider, InvalidRequest, MISSING_CLIENT, detail)
    sent = loggable_uri(uri, client.post_logout_redirect_uris)
    detail = f"client {client.client_id}: post_logout_redirect_uri is not registered: {sent}"
    raise _rejected(provider, UnknownClient, INVALID_REDIRECT, detail)


def hint_matches_session(provider: ProviderContext, request: LogoutRequest, session: Session) -> bool:
    """Return whether the ID token was issued under the session of this browser.

    Only then the user is not asked. An ID token alone never ends a session, because it can leak; the session cookie
    is the authority.
    """
    return (
        request.hint is not None
        and request.client is not None
        and request.hint.get("sid") == provider.claims.sid_of(session.sid, request.client)
        and request.hint.get("sub") == provider.claims.subject(session.identity.subject, request.client)
    )


def signed_in_clients(provider: ProviderContext, sid: str) -> tuple[Sequence[Client], Sequence[Client]]:
    """Return the clients that a session signed in to: those that receive a logout token, and the others."""
    found = map(provider.clients.get, provider.store.sessions.list_clients(sid))
    clients = sorted(filter(None, found), key=lambda client: client.client_name.casefold())
    notified = [client for client in clients if client.backchannel_logout_uri is not None]
    return notified, [client for client in clients if client not in notified]


def end_session(provider: ProviderContext, sid: str) -> bool:
    """End a session, revoke its grants and queue a logout token for each client that held one.

    Return False if the session is unknown or had ended before.
    """
    ended = end_stored_session(provider.store, provider.clients, sid, now=provider.now())
    if ended:
        provider.logout_queued.set()
        log.info("session_ended", sid=sid)
    return ended


def end_by_ticket(provider: ProviderContext, ticket: str, *, offline_too: bool) -> Sequence[str]:
    """End the sessions that a CAS ticket began or renewed, as `end_session` does, because CAS ended its own session.

    `offline_too` revokes grants with offline_access as well. Return the `sid` of each session that this ended.
    """
    ended = provider.store.sessions.end_by_ticket(
        fingerprint(ticket), now=provider.now(), logout_uri=_logout_uris(provider.clients), include_offline=offline_too
    )
    if ended:
        provider.logout_queued.set()
    for sid in ended:
        log.info("session_ended", sid=sid)
    return ended


def end_stored_session(store: Store, clients: ClientRegistry, sid: str, *, now: int) -> bool:
    """End a session without a provider, for commands; see `end_session`."""
    return store.sessions.end(sid, now=now, logout_uri=_logout_uris(clients)) is not None


def _logout_uris(clients: ClientRegistry) -> Callable[[str], str | None]:
    """Return a lookup of back-channel logout URIs by client_id."""
    return lambda client_id: getattr(clients.get(client_id), "backchannel_logout_uri", None)


def _rejected(provider: ProviderContext, kind: type[OAuthError], sentence: str, detail: str) -> OAuthError:
    return kind(sentence, detail=detail, facts={"address": f"{provider.issuer}/logout"})
