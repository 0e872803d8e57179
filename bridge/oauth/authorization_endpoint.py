"""The decisions on a checked authorization request: session, access, consent and response."""

from urllib.parse import urlsplit

from bridge.errors import AccessDenied
from bridge.errors.oauth import UnknownClient
from bridge.oauth.authorization import AuthorizationRequest
from bridge.oauth.authorization_checks import (
    UNKNOWN_REDIRECT_URI,
    check_client,
    refused,
    response_parameters,
)
from bridge.oauth.claims import CLAIMS_OF_SCOPE, allowed_claims
from bridge.oauth.clients import Client
from bridge.oauth.provider_context import ProviderContext
from bridge.settings.rules import is_custom_claim
from bridge.store import AuthorizationCode, Grant, Session, fingerprint
from passerelle_common.i18n import gettext_noop

CODE_LIFETIME_SECONDS = 60
FRESH_IDENTITY_SECONDS = 60
CONSENT_AGE_SECONDS = 60
CONSENT_AFTER_LOGIN_SECONDS = 600
NEW_LOGIN_PROMPTS = frozenset({"login", "select_account"})


def check_still_registered(provider: ProviderContext, request: AuthorizationRequest) -> Client:
    """Return the client of a stored request, or raise UnknownClient if it was changed while the user was at CAS."""
    client = check_client(request.client_id, provider.clients)
    if request.redirect_uri_was_sent:
        registered = client.allows_redirect_to(request.redirect_uri)
    else:
        registered = client.redirect_uris == (request.redirect_uri,)
    if not registered:
        raise UnknownClient(
            UNKNOWN_REDIRECT_URI,
            facts={"client": client.client_name},
            detail=f"client {client.client_id}: the redirect_uri was removed during the sign-in",
        )
    return client


def reusable_session(
    provider: ProviderContext, request: AuthorizationRequest, client: Client, session: Session | None
) -> Session | None:
    """Return the session if it satisfies the request without CAS, else None (OIDC Core §3.1.2.1)."""
    if session is None or not NEW_LOGIN_PROMPTS.isdisjoint(request.prompt):
        return None
    if request.max_age is not None and (
        session.auth_time is None or provider.clock() - session.auth_time > request.max_age
    ):
        return None
    if needs_identity_refresh(provider, client, session) or not satisfies_acr(request, session):
        return None
    return session if matches_requested_user(provider, request, client, session) else None


def remains_sufficient(
    provider: ProviderContext, request: AuthorizationRequest, client: Client, session: Session
) -> bool:
    """Return whether the session still satisfies the request when the user answers the consent page.

    The page was shown for a session that did. A short `max_age` leaves the user a minute for the answer, and a forced
    login ten; otherwise a slow reader would authenticate again and again.
    """
    limits = [] if request.max_age is None else [max(request.max_age, CONSENT_AGE_SECONDS)]
    if not NEW_LOGIN_PROMPTS.isdisjoint(request.prompt):
        limits.append(CONSENT_AFTER_LOGIN_SECONDS)
    is_old = limits and (session.auth_time is None or provider.clock() - session.auth_time > min(limits))
    max_age = client.identity_max_age_seconds
    is_outdated = max_age is not None and session.identity.is_older_than(max_age, now=provider.clock())
    is_same = matches_requested_user(provider, request, client, session) and satisfies_acr(request, session)
    return is_same and not is_old and not is_outdated


def needs_identity_refresh(provider: ProviderContext, client: Client, session: Session) -> bool:
    """Return whether CAS must confirm the identity again, without a password.

    This happens long before `identity_max_age_seconds`: the browser is present now, and tokens issued now last longer.
    It also lets a user retry one minute after being added to a group.
    """
    if client.identity_max_age_seconds is None:
        return False
    limit = min(client.identity_max_age_seconds / 2, FRESH_IDENTITY_SECONDS)
    return session.identity.is_older_than(limit, now=provider.clock())


def satisfies_acr(request: AuthorizationRequest, session: Session) -> bool:
    """Return whether the session has an essential `acr` value of the request (OIDC Core §5.5.1.1)."""
    return not request.essential_acr or session.identity.acr in request.essential_acr


def matches_requested_user(
    provider: ProviderContext, request: AuthorizationRequest, client: Client, session: Session
) -> bool:
    """Return whether the session belongs to the user of `id_token_hint` and of the claims parameter."""
    subject = provider.claims.subject(session.identity.subject, client)
    if request.wanted_sub not in (None, subject):
        return False
    if request.id_token_hint is None:
        return True
    claims = provider.keys.claims_of(request.id_token_hint)
    return claims is not None and claims.get("iss") == provider.issuer and claims.get("sub") == subject


def requires_new_login(request: AuthorizationRequest) -> bool:
    """Return whether CAS must prompt for the password, because its own session may be too old as well."""
    return request.max_age is not None or not NEW_LOGIN_PROMPTS.isdisjoint(request.prompt)


def check_session_matches_request(
    provider: ProviderContext, request: AuthorizationRequest, client: Client, session: Session
) -> None:
    """Reject a new session with another user or `acr` than the request names; CAS is visited only once."""
    if not matches_requested_user(provider, request, client, session):
        raise refused(provider.issuer, request, "login_required", "The signed-in user is not the requested one.")
    if not satisfies_acr(request, session):
        description = "CAS did not authenticate the user with an acr that the request requires."
        raise refused(provider.issuer, request, "unmet_authentication_requirements", description)


def check_access(provider: ProviderContext, request: AuthorizationRequest, client: Client, session: Session) -> None:
    """Reject a user who may not use the application: with a page, or with an error response for prompt=none."""
    if client.allows_user(session.identity):
        return
    if "none" in request.prompt:
        raise refused(provider.issuer, request, "access_denied", "This user may not use the application.")
    raise AccessDenied(
        gettext_noop(
            "You are signed in as %(user)s, but this account does not have access to %(client)s. "
            "Contact the support of that application, or sign out and use another account."
        ),
        facts={"user": session.identity.username, "client": client.client_name},
        detail=f"client {client.client_id}: neither allowed_groups nor allowed_attributes",
    )


def consent_scopes(request: AuthorizationRequest, client: Client) -> list[str]:
    """Return all that the client receives: scopes, those that contain claims requested by name, and custom claims."""
    requested = {name for names in request.claims.values() for name in names} & allowed_claims(client)
    by_name = requested | set(client.claims)
    implied = [scope for scope, names in CLAIMS_OF_SCOPE.items() if not by_name.isdisjoint(names)]
    return list(dict.fromkeys([*request.scope.split(), *implied, *filter(is_custom_claim, client.claims)]))


def is_unverified_program(request: AuthorizationRequest, client: Client) -> bool:
    """Return whether any program on the user's device can send this request (RFC 8252 §8.6).

    Neither a secret nor an https address identifies the client. Consent to it is therefore never remembered.
    """
    return client.is_public and urlsplit(request.redirect_uri).scheme != "https"


def needs_consent(provider: ProviderContext, request: AuthorizationRequest, client: Client, session: Session) -> bool:
    """Return whether to show the consent page (OIDC Core §3.1.2.4); reject if prompt=none allows none."""
    asks_always = client.consent is not False and is_unverified_program(request, client)
    needed = asks_always or "consent" in request.prompt
    asks_once = client.consent or (client.consent is None and "offline_access" in request.scope.split())
    if not needed and asks_once:
        given = provider.store.grants.consented_scope(client.client_id, session.identity.subject)
        needed = not set(consent_scopes(request, client)) <= set(given.split())
    if needed and "none" in request.prompt:
        raise refused(
            provider.issuer, request, "consent_required", "The user must consent, and prompt=none forbids it."
        )
    return needed


def issue_code(provider: ProviderContext, request: AuthorizationRequest, session: Session) -> dict[str, str]:
    """Store a grant with a new code, and return the parameters of the response to the client."""
    code, now = provider.new_secret(), provider.now()
    grant = Grant(
        grant_id=provider.new_secret(),
        client_id=request.client_id,
        sid=session.sid,
        identity=session.identity,
        scope=request.scope,
        request=request.for_grant().to_json(),
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
    return response_parameters({"code": code}, request.state, provider.issuer)
