"""What CAS releases about users, told from those who signed in: nobody can know it otherwise. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from bridge.cas.attributes import build_identity
from bridge.check.findings import Finding, Told, duration, fault, left_out, listed, note, ok, warning
from bridge.errors import IdentityIncomplete
from bridge.identity import Identity
from bridge.settings import ClaimRules, ClientSettings
from bridge.settings.attribute_names import canonical_name
from bridge.settings.rules import DEFAULT_ATTRIBUTES, EDUPERSON_CLAIMS
from bridge.store import Session

# Facts about the sign-in that CAS sends of itself: having only these is having nothing.
_ABOUT_THE_SIGN_IN = frozenset(
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
class BackupRequest:
    """An attribute that CAS should release."""

    attributes: tuple[str, ...]
    """By any of these names."""
    claim: str
    """What it becomes: a claim, `sub`, `preferred_username`, or `admission` of users to an application."""


def wishes(rules: ClaimRules, clients: Iterable[ClientSettings]) -> list[BackupRequest]:
    """What the rules need for what the applications may be told, the indispensable first."""
    registered = list(clients)
    scopes = {scope for client in registered for scope in client.scopes} or {"profile", "email", "groups"}
    wanted = [BackupRequest((rules.subject_attribute,), "sub")] if rules.subject_attribute else []
    wanted += [BackupRequest((rules.username_attribute,), "preferred_username")] if rules.username_attribute else []
    claims = [claim for scope, names in _CLAIMS_OF_SCOPE.items() if scope in scopes for claim in names]
    claims += [claim for claim, names in rules.attributes.items() if names != DEFAULT_ATTRIBUTES.get(claim, ())]
    claims += [claim for client in registered for claim in client.claims]
    if rules.groups_from_affiliation:
        claims.append("eduperson_affiliation")
    wanted += [BackupRequest(names, claim) for claim in dict.fromkeys(claims) if (names := rules.attributes.get(claim))]
    groups = rules.attributes.get("groups")
    if groups and "groups" not in claims and any(client.allowed_groups for client in registered):
        wanted.append(BackupRequest(groups, "admission"))
    admitting = dict.fromkeys(name for client in registered for name in client.allowed_attributes)
    return wanted + [BackupRequest((name,), "admission") for name in admitting]


def judge_released(
    sessions: Sequence[Session], rules: ClaimRules, wanted: Sequence[BackupRequest], protocol: str, now: float
) -> list[Finding]:
    """Which attributes came, and which claims stay empty.

    :param sessions: the newest first, ended ones too
    """
    if not sessions:
        return [
            note(
                "attributes.released",
                "Nobody has signed in yet, so it is not known which attributes CAS releases.",
                do="Sign in once to any application, and run this again.",
            )
        ]
    last = _named(sessions[0].identity)
    came = sorted({*last} or {name for session in sessions for name in _named(session.identity)}, key=str.lower)
    ago = f"{duration(now - sessions[0].created_at)} ago"
    if not came:
        return [_nothing_released(len(sessions), ago, wanted, protocol)]
    if not last:
        seen = f"The newest sign-in ({ago}) brought no attributes; earlier ones brought {listed(came)}."
        means = "CAS stopped releasing them, or knows nothing about that one user."
        return [warning("attributes.released", seen, means, "Sign in once more and run this again.")]
    found = ok("attributes.released", f"The newest sign-in ({ago}) brought {listed(came)}.")
    return [found, _judge_claims(sessions[0], rules, wanted)]


def _named(identity: Identity) -> list[str]:
    return [
        name
        for name, values in identity.attributes.items()
        if canonical_name(name) not in _ABOUT_THE_SIGN_IN and any(value.strip() for value in values)
    ]


def _nothing_released(count: int, ago: str, wanted: Sequence[BackupRequest], protocol: str) -> Finding:
    names = listed(wish.attributes[0] for wish in wanted)
    lately = f"the last {count} sign-ins" if count > 1 else "the last sign-in"
    if protocol == "1.0":
        do, told = "Set PASSERELLE_CAS_PROTOCOL=3.0 if CAS answers it (see cas.protocol): 1.0 knows none.", None
    else:
        do = f"Ask the CAS administrator to release {names} to our service; `passerelle check --message` says so."
        told = Told(
            f"No attributes reach us: {lately} brought none. Please release them to our service (list above).",
            "Aucun attribut ne nous parvient : les dernières connexions n'en ont apporté aucun. Merci de les "
            "transmettre à notre service (liste ci-dessus).",
        )
    return fault(
        "attributes.released",
        f"CAS released no attribute at {lately} ({ago}).",
        "Applications get a user name, and neither name nor address nor groups.",
        do,
        told,
    )


def _judge_claims(session: Session, rules: ClaimRules, wanted: Sequence[BackupRequest]) -> Finding:
    """By the rules as they are now, which may not be those of that sign-in."""
    try:
        identity = build_identity(session.identity.subject, session.identity.attributes, rules)
    except IdentityIncomplete as error:
        return fault(
            "attributes.claims",
            f"By the rules as they are now that user could not sign in: {error.detail}.",
            "Whoever lacks that attribute is refused.",
            "Correct PASSERELLE_SUBJECT_ATTRIBUTE, PASSERELLE_USERNAME_ATTRIBUTE or PASSERELLE_USERNAME_PATTERN, or "
            "have CAS release the attribute; `passerelle claims try` shows what rules do.",
        )
    claims = [wish for wish in wanted if wish.claim not in ("sub", "preferred_username", "admission")]
    empty = [wish for wish in claims if not _value(identity, wish.claim)]
    if not claims:
        return left_out("attributes.claims", "Which claims stay empty", "no rule makes any")
    if not empty:
        return ok("attributes.claims", f"Every claim has a value: {listed(wish.claim for wish in claims)}.")
    names = listed(f"{wish.claim} (from {' or '.join(wish.attributes)})" for wish in empty)
    level = note if all(wish.claim in EDUPERSON_CLAIMS or wish.claim == "groups" for wish in empty) else warning
    return level(
        "attributes.claims",
        f"Claims that stay empty for that user: {names}.",
        "CAS does not release them to us, gives them other names, or has none for that user.",
        "Compare with the names above: map other names by PASSERELLE_ATTRIBUTES, or ask for the missing ones.",
    )


def _value(identity: Identity, claim: str) -> object:
    return getattr(identity, claim) if claim in Identity.__slots__ else identity.claims.get(claim)
