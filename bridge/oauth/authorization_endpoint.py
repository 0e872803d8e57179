"""What happens to a request that passed its checks: is the session good enough, may this user, what is answered."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from bridge.errors import AccessDenied, AuthorizationRejected
from bridge.oauth.authorization import (
    AuthorizationRequest,
    check_authorization_request,
    check_client,
    check_redirect_uri,
    error_answer,
    with_state,
)
from bridge.oauth.claims import CLAIMS_OF_SCOPE
from bridge.oauth.clients import Client
from bridge.oauth.parameters import Parameters, single_values
from bridge.oauth.provider_context import ProviderContext
from bridge.store import AuthorizationCode, Grant, Session, fingerprint
from passerelle_common.i18n import gettext_noop

CODE_LIFETIME_SECONDS = 60
ASKED_JUST_NOW = 60  # seconds
NEW_LOGIN_PROMPTS = frozenset({"login", "select_account"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What goes back to the client through the browser."""

    redirect_uri: str
    parameters: Mapping[str, str]
    response_mode: str


def check_request(provider: ProviderContext, pairs: Iterable[tuple[str, str]]) -> AuthorizationRequest:
    """The request of a browser; see `check_authorization_request` for what is raised."""
    parameters, repeated = single_values(pairs)
    return check_authorization_request(parameters, repeated, provider.clients, issuer=provider.issuer)


def check_still_registered(provider: ProviderContext, request: AuthorizationRequest) -> Client:
    """The client of a request that waited for CAS: its registration may have changed meanwhile.

    :raises UnknownClient: when it has
    """
    parameters = Parameters(request.to_parameters())
    client = check_client(parameters, provider.clients)
    check_redirect_uri(parameters, client)
    return client


def reusable_session(
    provider: ProviderContext, request: AuthorizationRequest, session: Session | None
) -> Session | None:
    """The session, if it answers the request without a visit to CAS (OIDC Core §3.1.2.1)."""
    if session is None or not NEW_LOGIN_PROMPTS.isdisjoint(request.prompt):
        return None
    if request.max_age is not None and is_too_old(provider, session.auth_time, request.max_age):
        return None
    if is_known_too_long(provider, request, session):
        return None
    return session if is_hinted_user(provider, request, session) and satisfies_acr(request, session) else None


def is_too_old(provider: ProviderContext, auth_time: int | None, max_age: int) -> bool:
    """Whether the proof of who this is was longer ago; one of unknown age always was."""
    return auth_time is None or provider.clock() - auth_time > max_age


def is_known_too_long(provider: ProviderContext, request: AuthorizationRequest, session: Session) -> bool:
    """Whether the client wants CAS asked again about who this is: silently, not for the password.

    Already after a minute: the browser is here now, what is given out lasts the longer, and whoever was just put into a
    group and tries again is let in.
    """
    client = provider.clients.get(request.client_id)
    if client is None or client.identity_max_age_seconds is None:
        return False
    return session.identity.is_older_than(
        min(client.identity_max_age_seconds / 2, ASKED_JUST_NOW), now=provider.clock()
    )


def satisfies_acr(request: AuthorizationRequest, session: Session) -> bool:
    """Whether CAS was as sure as the request makes essential (OIDC Core §5.5.1.1)."""
    return not request.essential_acr or session.identity.acr in request.essential_acr


def is_hinted_user(provider: ProviderContext, request: AuthorizationRequest, session: Session) -> bool:
    """Whether the session is that of the user whom `id_token_hint`, or the claims parameter, names."""
    client = provider.clients.get(request.client_id)
    if client is None:
        return False
    subject = provider.claims.subject(session.identity, client)
    if request.wanted_sub not in (None, subject):
        return False
    if request.id_token_hint is None:
        return True
    claims = provider.keys.claims_of(request.id_token_hint)
    return claims is not None and claims.get("iss") == provider.issuer and claims.get("sub") == subject


def wants_new_login(request: AuthorizationRequest) -> bool:
    """Whether CAS, once it is asked, has to ask for the password: its own session may be too old as well."""
    return request.max_age is not None or not NEW_LOGIN_PROMPTS.isdisjoint(request.prompt)


def check_session_matches_request(provider: ProviderContext, request: AuthorizationRequest, session: Session) -> None:
    """After a visit to CAS there is no second one: the session has to fit now.

    :raises AuthorizationRejected: when the user is not the one that `id_token_hint` names
    """
    if not is_hinted_user(provider, request, session):
        description = "Somebody else than the user whom the request names is signed in."
        raise refused(provider, request, "login_required", description)
    if not satisfies_acr(request, session):
        description = "CAS did not sign the user in by the means that the request makes essential."
        raise refused(provider, request, "unmet_authentication_requirements", description)


def check_access(provider: ProviderContext, request: AuthorizationRequest, client: Client, session: Session) -> None:
    """Whether this user may use this application.

    :raises AccessDenied: a page that says whom to ask
    :raises AuthorizationRejected: `access_denied`, when nobody would see a page
    """
    if client.allows_user(session.identity):
        return
    if "none" in request.prompt:
        raise refused(provider, request, "access_denied", "This user may not use the application.")
    raise AccessDenied(
        gettext_noop(
            "You are signed in as %(user)s, but %(client)s is not open to you. "
            "Ask the people who run that application, or sign out and sign in with another account."
        ),
        facts={"user": session.identity.username, "client": client.client_name},
        detail=f"client {client.client_id}: neither allowed_groups nor allowed_attributes",
    )


def scopes_to_agree_to(request: AuthorizationRequest, client: Client) -> list[str]:
    """The scopes, and those of claims that come by name: a claim is as private either way."""
    by_name = {name for names in request.claims.values() for name in names} | set(client.claims)
    implied = [scope for scope, names in CLAIMS_OF_SCOPE.items() if not by_name.isdisjoint(names)]
    return list(dict.fromkeys([*request.scope.split(), *implied]))


def needs_consent(provider: ProviderContext, request: AuthorizationRequest, client: Client, session: Session) -> bool:
    """Whether the user has to be asked first (OIDC Core §3.1.2.4).

    :raises AuthorizationRejected: `consent_required` when nobody may be asked anything
    """
    asks = "consent" in request.prompt
    if not asks and client.consent:
        agreed = provider.store.grants.consented_scope(client.client_id, session.identity.subject)
        asks = not set(scopes_to_agree_to(request, client)) <= set(agreed.split())
    if asks and "none" in request.prompt:
        raise refused(provider, request, "consent_required", "The user has to agree first; prompt=none forbids it.")
    return asks


def refused(
    provider: ProviderContext, request: AuthorizationRequest, code: str, description: str
) -> AuthorizationRejected:
    """A refusal that the client is told through the browser."""
    return AuthorizationRejected(
        code,
        description,
        redirect_uri=request.redirect_uri,
        answer=error_answer(code, description, request.state, issuer=provider.issuer),
        response_mode=request.response_mode,
    )


def issue_code(provider: ProviderContext, request: AuthorizationRequest, session: Session) -> Answer:
    """A grant, and a fresh code for it."""
    code, now = provider.new_secret(), provider.now()
    grant = Grant(
        grant_id=provider.new_secret(),
        client_id=request.client_id,
        sid=session.sid,
        identity=session.identity,
        scope=request.scope,
        request=request.to_json(),
        auth_time=session.auth_time,
        offline="offline_access" in request.scope.split(),
        created_at=now,
    )
    provider.store.grants.begin_with_code(
        grant,
        AuthorizationCode(
            code_hash=fingerprint(code),
            grant_id=grant.grant_id,
            issued_at=now,
            expires_at=now + CODE_LIFETIME_SECONDS,
        ),
    )
    return Answer(
        redirect_uri=request.redirect_uri,
        parameters=with_state({"code": code}, request.state, provider.issuer),
        response_mode=request.response_mode,
    )
