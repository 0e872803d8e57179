"""The attributes that the settings need from CAS, and findings about those that past sign-ins brought. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from bridge.cas.attributes import build_identity, printed_lists
from bridge.check.findings import Finding, fault, format_duration, join_names, note, ok, skipped, warning
from bridge.errors import IdentityIncomplete
from bridge.identity import Identity
from bridge.settings import ClaimRules, ClientSettings
from bridge.settings.attribute_names import canonical_name
from bridge.settings.rules import DEFAULT_ATTRIBUTES, EDUPERSON_CLAIMS
from bridge.store import Session
from passerelle_common.i18n import Message

# CAS adds these facts about the sign-in by default, so they prove no attribute release.
_SIGN_IN_FACTS = frozenset(
    {
        *("authenticationdate", "isfromnewlogin", "longtermauthenticationrequesttokenused", "credentialtype"),
        *("authenticationmethod", "successfulauthenticationhandlers", "samlauthenticationstatementauthmethod"),
        *("clientipaddress", "serveripaddress", "useragent", "geolocation"),
    }
)
_CLAIMS_OF_SCOPE: Mapping[str, tuple[str, ...]] = {
    "profile": ("name", "given_name", "family_name"),
    "email": ("email",),
    "groups": ("groups",),
    "eduperson": ("eduperson_affiliation", "eduperson_principal_name"),
}


@dataclass(frozen=True, slots=True)
class RequestedAttribute:
    """An attribute that CAS should release."""

    names: tuple[str, ...]  # accepted names; one of them is enough
    purpose: str  # a claim, `sub`, `preferred_username`, or `access` for the access rules of a client


def requested_attributes(rules: ClaimRules, clients: Iterable[ClientSettings]) -> list[RequestedAttribute]:
    """Return the attributes that the rules need for the scopes of the clients, required ones first."""
    registered = list(clients)
    scopes = {scope for client in registered for scope in client.scopes} or {"profile", "email", "groups"}
    keys = ((rules.subject_attribute, "sub"), (rules.username_attribute, "preferred_username"))
    requested = [RequestedAttribute((name,), purpose) for name, purpose in keys if name]
    claims = [claim for scope, names in _CLAIMS_OF_SCOPE.items() if scope in scopes for claim in names]
    claims += [claim for claim, names in rules.attributes.items() if names != DEFAULT_ATTRIBUTES.get(claim, ())]
    claims += [claim for client in registered for claim in client.claims]
    if rules.groups_from_affiliation:
        claims.append("eduperson_affiliation")
    rule = rules.attributes.get
    requested += [RequestedAttribute(names, claim) for claim in dict.fromkeys(claims) if (names := rule(claim))]
    groups = rule("groups")
    if groups and "groups" not in claims and any(client.allowed_groups for client in registered):
        requested.append(RequestedAttribute(groups, "access"))
    access = dict.fromkeys(name for client in registered for name in client.allowed_attributes)
    return requested + [RequestedAttribute((name,), "access") for name in access]


def evaluate_sessions(
    sessions: Sequence[Session], rules: ClaimRules, requested: Sequence[RequestedAttribute], protocol: str, now: float
) -> list[Finding]:
    """Evaluate which attributes the sessions, newest first, brought and which claims stay empty."""
    if not sessions:
        seen = "There has been no sign-in yet, so the attributes that CAS releases are unknown."
        return [note("attributes.released", seen, do="Sign in once to any application and run this again.")]
    last = _attribute_names(sessions[0].identity)
    arrived = {*last} or {name for session in sessions for name in _attribute_names(session.identity)}
    names = join_names(sorted(arrived, key=str.lower))
    ago = f"{format_duration(now - sessions[0].created_at)} ago"
    if not arrived:
        return [_no_attributes(len(sessions), ago, requested, protocol)]
    if not last:
        seen = f"The newest sign-in ({ago}) brought no attributes; earlier ones brought {names}."
        means = "CAS stopped releasing them, or has none for that user."
        return [warning("attributes.released", seen, means, "Sign in once more and run this again.")]
    found = ok("attributes.released", f"The newest sign-in ({ago}) brought {names}.")
    lists = printed_lists(sessions[0].identity.attributes, rules)
    return [found, *([_printed_lists(lists)] if lists else []), _evaluate_claims(sessions[0], rules, requested)]


def _printed_lists(names: Sequence[str]) -> Finding:
    facts = {"names": join_names(names)}
    return warning(
        "attributes.lists",
        f"CAS releases a list as one string, such as [a, b], in: {facts['names']}.",
        "The bridge ignores such values, because they cannot be split reliably. The claims stay empty.",
        "Ask the CAS administrator to release several values. Map a fixed list with PASSERELLE_GROUP_MAP.",
        Message("You release several values as one string, in %(names)s. Please release each by itself.", facts),
    )


def _attribute_names(identity: Identity) -> list[str]:
    return [
        name
        for name, values in identity.attributes.items()
        if canonical_name(name) not in _SIGN_IN_FACTS and any(value.strip() for value in values)
    ]


def _no_attributes(count: int, ago: str, requested: Sequence[RequestedAttribute], protocol: str) -> Finding:
    last = f"the last {count} sign-ins" if count > 1 else "the last sign-in"
    seen = f"CAS released no attribute in {last} ({ago})."
    means = "Applications receive a user name, but no display name, e-mail address or groups."
    if protocol == "1.0":
        do = "Protocol 1.0 has no attributes. If CAS supports it (see cas.protocol), set PASSERELLE_CAS_PROTOCOL=3.0"
        return fault("attributes.released", seen, means, do)
    if protocol == "2.0":
        do = (
            "Jasig CAS 3 returns attributes by SAML only: if cas.protocol lists saml1.1 as supported, set "
            "PASSERELLE_CAS_PROTOCOL=saml1.1 and sign in once. Otherwise have them released to our service."
        )
        return fault("attributes.released", seen, means, do)
    names = join_names(attribute.names[0] for attribute in requested)
    do = f"Have {names} released to our service: send the message of `passerelle check --message`."
    to_cas = Message("The latest sign-ins brought no attributes. Please release those above to our service.")
    return fault("attributes.released", seen, means, do, to_cas)


def _evaluate_claims(session: Session, rules: ClaimRules, requested: Sequence[RequestedAttribute]) -> Finding:
    """Apply the current rules to a past sign-in."""
    try:
        identity = build_identity(session.identity.subject, session.identity.attributes, rules)
    except IdentityIncomplete as error:
        return fault(
            "attributes.claims",
            f"The current rules would reject the newest user: {error.detail}.",
            "The bridge rejects every user without that attribute.",
            "Correct PASSERELLE_SUBJECT_ATTRIBUTE, PASSERELLE_USERNAME_ATTRIBUTE or PASSERELLE_USERNAME_PATTERN (try "
            "with `passerelle claims try`), or have CAS release the attribute.",
        )
    claims = [one for one in requested if one.purpose not in ("sub", "preferred_username", "access")]
    values = {**identity.claims, **{name: getattr(identity, name) for name in Identity.__slots__}}
    empty = [one for one in claims if not values.get(one.purpose)]
    if not claims:
        return skipped("attributes.claims", "Empty claims", "no rule produces a claim")
    if not empty:
        return ok("attributes.claims", f"Every claim has a value: {join_names(one.purpose for one in claims)}.")
    names = join_names(f"{one.purpose} (from {' or '.join(one.names)})" for one in empty)
    report = note if all(one.purpose in {*EDUPERSON_CLAIMS, "groups"} for one in empty) else warning
    seen = f"Claims without a value for the newest user: {names}."
    means = "CAS does not release them to us, uses other names, or has no value for that user."
    do = "Compare with the names above: map other names with PASSERELLE_ATTRIBUTES, or request the missing ones."
    return report("attributes.claims", seen, means, do)
