"""Signing out: what an application may ask for, and what ends with a session.

OpenID Connect RP-Initiated Logout 1.0 §2, §3; Back-Channel Logout 1.0 §2.1, §2.7.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import structlog

from bridge.errors import InvalidRequest, UnknownClient
from bridge.oauth.authorization import MAXIMAL_ECHO_LENGTH, in_query
from bridge.oauth.clients import Client, ClientRegistry
from bridge.oauth.parameters import Parameters, check_not_repeated, single_values
from bridge.oauth.provider_context import ProviderContext
from bridge.store import Session, Store, fingerprint
from passerelle_common.i18n import gettext_noop

log = structlog.get_logger()

KNOWN_PARAMETERS = ("id_token_hint", "client_id", "post_logout_redirect_uri", "state", "ui_locales", "logout_hint")

REFUSED_HINT = gettext_noop(
    "The application that sent you here to sign out did not prove that you come from it, so nothing was changed. "
    "You can still sign out here: %(address)s"
)
REFUSED_ADDRESS = gettext_noop(
    "You were to be sent on to an address that is not registered for this, so nothing was changed. "
    "You can still sign out here: %(address)s"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class LogoutRequest:
    """A request that passed every check. Whether it is followed is for the browser's session to decide."""

    client: Client | None
    """Who asks, as far as the request says."""
    hint: Mapping[str, Any] | None
    """The claims of the ID token that came along: ours, perhaps long expired."""
    post_logout_redirect_uri: str | None
    state: str | None
    ui_locales: str | None

    @property
    def return_url(self) -> str | None:
        """Where the user goes in the end, if the client has said so."""
        if self.post_logout_redirect_uri is None or self.state is None:
            return self.post_logout_redirect_uri
        return in_query(self.post_logout_redirect_uri, {"state": self.state})

    def to_parameters(self) -> dict[str, str]:
        """The request once more, for forms and addresses of our own; without the hint, which tells who somebody is."""
        sent = {
            "client_id": None if self.client is None else self.client.client_id,
            "post_logout_redirect_uri": self.post_logout_redirect_uri,
            "state": self.state,
            "ui_locales": self.ui_locales,
        }
        return {name: value for name, value in sent.items() if value is not None}


def check_logout_request(provider: ProviderContext, pairs: Iterable[tuple[str, str]]) -> LogoutRequest:
    """Run every check in order; each fault is a page, and nobody is sent anywhere.

    :raises InvalidRequest: a repeated or overlong parameter, or an ID token that is not of us and this client
    :raises UnknownClient: no such client, or an address that is not its own
    """
    parameters, repeated = single_values(pairs)
    check_not_repeated(repeated, KNOWN_PARAMETERS)
    check_length(parameters)
    hint = check_hint(provider, parameters)
    client = check_client(provider, parameters, hint)
    return LogoutRequest(
        client=client,
        hint=hint,
        post_logout_redirect_uri=check_return_address(provider, parameters, client),
        state=parameters.get("state"),
        ui_locales=parameters.get("ui_locales"),
    )


def check_length(parameters: Parameters) -> None:
    """What is echoed stays within what browsers and proxies take in a URL."""
    for name in ("state", "ui_locales"):
        if len(parameters.get(name, "")) > MAXIMAL_ECHO_LENGTH:
            raise InvalidRequest(f"The parameter {name} is longer than {MAXIMAL_ECHO_LENGTH} characters.")


def check_hint(provider: ProviderContext, parameters: Parameters) -> Mapping[str, Any] | None:
    """An ID token that we issued; expired ones are welcome (§2), logout tokens are no ID tokens."""
    if "id_token_hint" not in parameters:
        return None
    claims = provider.keys.claims_of(parameters["id_token_hint"])
    if claims is None or claims.get("iss") != provider.issuer or "events" in claims:
        raise _refused_hint(provider, "not an ID token that a key of ours signed")
    if parameters.get("client_id") not in (None, claims.get("aud")):
        raise _refused_hint(provider, "the ID token was issued to another client than client_id")
    return claims


def check_client(provider: ProviderContext, parameters: Parameters, hint: Mapping[str, Any] | None) -> Client | None:
    """The client that `client_id` names, else the one that the ID token was issued to, while it is registered."""
    if "client_id" not in parameters:
        return None if hint is None else provider.clients.get(str(hint.get("aud")))
    client = provider.clients.get(parameters["client_id"])
    if client is None:
        raise _refused_address(provider, provider.clients.absence_reason(parameters["client_id"]))
    return client


def check_return_address(provider: ProviderContext, parameters: Parameters, client: Client | None) -> str | None:
    """One of the client's own, compared exactly (§3); without a client nothing can be its own."""
    uri = parameters.get("post_logout_redirect_uri")
    if uri is None or (client is not None and uri in client.post_logout_redirect_uris):
        return uri
    owner = "no client" if client is None else f"client {client.client_id}"
    raise _refused_address(provider, f"{owner}: post_logout_redirect_uri {uri[:200]!r} is not registered")


def is_of_session(provider: ProviderContext, request: LogoutRequest, session: Session) -> bool:
    """Whether the ID token was issued under the very session that this browser has.

    Only then the user need not be asked. An ID token never ends a session elsewhere, or somebody else's: it leaves
    our hands, and the session cookie is the authority.
    """
    return (
        request.hint is not None
        and request.client is not None
        and request.hint.get("sid") == provider.claims.sid_of(session.sid, request.client)
        and request.hint.get("sub") == provider.claims.subject(session.identity, request.client)
    )


def end_session(provider: ProviderContext, sid: str) -> bool:
    """End it now, revoke what was given out under it, and queue a logout token for each client that held some of it.

    :returns: False when it had ended before, or never was
    """
    ended = end_stored_session(provider.store, provider.clients, sid, now=provider.now())
    if ended:
        provider.logout_queued.set()
        log.info("session_ended", sid=sid)
    return ended


def end_by_ticket(provider: ProviderContext, ticket: str, *, offline_too: bool) -> Sequence[str]:
    """Likewise for the session that hangs on a CAS ticket, because CAS says that it is over.

    :param offline_too: whether access that was to outlive the session ends as well
    :returns: the `sid` of what ended; none when the ticket is unknown or its session ended before
    """
    ended = provider.store.sessions.end_by_ticket(
        fingerprint(ticket), now=provider.now(), tell=_address_in(provider.clients), offline_too=offline_too
    )
    if ended:
        provider.logout_queued.set()
    for sid in ended:
        log.info("session_ended", sid=sid)
    return ended


def end_stored_session(store: Store, clients: ClientRegistry, sid: str, *, now: int) -> bool:
    """Likewise, for whoever has no signing keys."""
    return store.sessions.end(sid, now=now, tell=_address_in(clients)) is not None


def _address_in(clients: ClientRegistry) -> Callable[[str], str | None]:
    """Where a client wants to be told, if it does."""

    def address(client_id: str) -> str | None:
        client = clients.get(client_id)
        return None if client is None else client.backchannel_logout_uri

    return address


def _refused_hint(provider: ProviderContext, detail: str) -> InvalidRequest:
    return InvalidRequest(REFUSED_HINT, detail=f"id_token_hint: {detail}", facts=_own_address(provider))


def _refused_address(provider: ProviderContext, detail: str) -> UnknownClient:
    return UnknownClient(REFUSED_ADDRESS, detail=detail, facts=_own_address(provider))


def _own_address(provider: ProviderContext) -> Mapping[str, str]:
    return {"address": f"{provider.issuer}/logout"}
