"""What our own public address serves, as anybody outside would see it. Pure."""

from __future__ import annotations

import json
from collections.abc import Collection
from urllib.parse import urlsplit

from bridge.check.certificates import Certificate
from bridge.check.findings import Finding, fault, left_out, note, ok, plain, warning
from bridge.check.probe import Answer, Trouble
from bridge.check.protocols import without_query
from bridge.check.single_logout import REQUEST_ID

_GATEWAY_STATUSES = (502, 503, 504)


def judge_program(about: str, issuer: str, answer: Answer) -> Finding | None:
    """Whether what answers there can be a bridge at all; None when it can.

    :param answer: to the discovery document's address
    """
    where = answer.url
    if answer.is_redirect:
        target = plain(without_query(answer.location))
        do = "Correct PASSERELLE_ISSUER, or the redirect in the reverse proxy: clients do not follow it."
        return fault(about, f"{where} redirects to {target}.", "Applications find no provider there.", do)
    if answer.status in _GATEWAY_STATUSES and REQUEST_ID not in answer.headers:
        return fault(
            about,
            f"The reverse proxy answers for {issuer}, but not the bridge behind it (status {answer.status}).",
            "The bridge does not run, or the proxy looks for it elsewhere.",
            "Start `passerelle serve`; compare PASSERELLE_BIND with the address in the proxy's configuration. "
            "(Before the bridge runs: `passerelle check --no-public`.)",
        )
    if answer.status != 200 or issuer_of(answer) is None:
        what = "a web page" if answer.is_page else f"status {answer.status}"
        return fault(
            about,
            f"Another program than Passerelle answers at {where} ({what}).",
            "The name leads to another machine, or the proxy does not hand this host and path on to the bridge.",
            "Correct the DNS entry or the proxy's rule for this host; the path has to be handed on unchanged.",
        )
    return None


def judge_own_certificate(about: str, host: str, leaf: Certificate) -> Finding:
    """Of one that this machine does not trust, but that our own edge shows: no stranger's, and still not enough."""
    do = (
        "Put a certificate of an authority that they trust into deployment/certs/server.crt, with its chain, and its key into "
        "deployment/certs/server.key; `docker compose up -d` takes it over."
    )
    if leaf.is_self_signed:
        return fault(
            about,
            f"The certificate of {host} is this deployment's own, and its own authority: nobody else trusts it.",
            "Browsers warn of it, and CAS cannot tell us who signed out.",
            do,
        )
    return warning(
        about,
        f"The certificate of {host} is this deployment's own, of {leaf.issuer!r}, which this machine does not trust.",
        "It works for browsers, and for a CAS server, that hold this authority's certificate, and for no others.",
        f"{do} If all of them do hold it, name it (PEM) in --ca-file.",
    )


def issuer_of(answer: Answer) -> str | None:
    """As the discovery document says (OIDC Discovery §3); None when it is none."""
    try:
        issuer = json.loads(answer.body)["issuer"]
    except (ValueError, RecursionError, LookupError, TypeError):
        return None
    return issuer if isinstance(issuer, str) else None


def judge_issuer(about: str, configured: str, served: str) -> Finding:
    """They have to be equal to the letter (OIDC Discovery §4.3)."""
    if served == configured:
        return ok(about, f"The issuer served there is {configured}, as configured.")
    return fault(
        about,
        f"The bridge at {configured} says that its issuer is {plain(served)}: {difference(configured, served)}.",
        "Applications refuse every token: the issuer has to be the same to the letter.",
        "Give the running bridge and this command the same PASSERELLE_ISSUER, then restart the bridge; if they have, "
        "the name leads to another installation.",
    )


def difference(one: str, other: str) -> str:
    """Which part of two URLs differs."""
    try:
        a, b = urlsplit(one), urlsplit(other)
        parts = {
            "the scheme": (a.scheme, b.scheme),
            "the host": (a.hostname, b.hostname),
            "the port": (a.port, b.port),
            "the path": (a.path, b.path),
        }
    except ValueError:
        return "it is no URL"
    if one.rstrip("/") == other.rstrip("/"):
        return "a slash at the end differs"
    differing = [f"{name} differs" for name, (x, y) in parts.items() if x != y]
    return ", ".join(differing) or "they differ in case or spelling"


def judge_identity(about: str, discovery: Answer, jwks: Answer | Trouble, our_kids: Collection[str]) -> Finding:
    """Whether it is this bridge: one with our database has our keys.

    :param our_kids: of the keys in the database
    """
    if REQUEST_ID not in discovery.headers:
        return warning(
            about,
            "The answer comes without the header X-Request-Id, which the bridge always sets.",
            "Another program or a cache answers, or the proxy takes headers away: error pages cannot be found in the "
            "log.",
            "Let the reverse proxy hand on response headers unchanged.",
        )
    if not our_kids or isinstance(jwks, Trouble):
        why = "the database holds no keys yet" if not our_kids else "its keys could not be fetched"
        return left_out(about, "Whether the bridge there uses this database", why)
    if _kids(jwks) & set(our_kids):
        return ok(about, "The bridge that answers there uses this database.")
    return fault(
        about,
        "The bridge that answers there has other signing keys than this database.",
        "It uses another database: another installation, an old container, or other settings than this command.",
        "Run this command with the environment of the running bridge, or end the other one.",
    )


def _kids(jwks: Answer) -> set[str]:
    try:
        return {str(key["kid"]) for key in json.loads(jwks.body)["keys"]}
    except (ValueError, RecursionError, LookupError, TypeError):
        return set()


def judge_plain_http(about: str, issuer: str, answer: Answer | Trouble) -> Finding:
    """What `http://` says, which is where people arrive who type the name alone."""
    if isinstance(answer, Trouble):
        return note(about, f"Nothing answers at {answer.url}.", "Who types the name without https:// gets an error.")
    if answer.is_redirect and answer.location.startswith("https:"):
        return ok(about, "http leads to https.")
    return warning(
        about,
        f"{without_query(answer.url)} is answered without https (status {answer.status}).",
        "What is sent there can be read on the way.",
        f"Let the reverse proxy redirect it to {issuer}.",
    )


def judge_metrics(about: str, answer: Answer | Trouble) -> Finding:
    """They are for those who run the bridge."""
    if isinstance(answer, Answer) and answer.status == 200 and b"passerelle_" in answer.body:
        return fault(
            about,
            f"Anybody can read {answer.url}.",
            "The numbers of your users' sign-ins are public.",
            "Set PASSERELLE_METRICS_TOKEN, or let the reverse proxy refuse that path and send X-Forwarded-For.",
        )
    return ok(about, "The metrics cannot be read from outside.")


def judge_hsts(about: str, discovery: Answer) -> Finding:
    """RFC 6797."""
    if "strict-transport-security" in discovery.headers:
        return ok(about, "Browsers are told to use https only (HSTS).")
    return note(
        about,
        "Browsers are not told to use https only (no Strict-Transport-Security).",
        "The first visit by http could be led astray.",
        "Let the reverse proxy add `Strict-Transport-Security: max-age=31536000`.",
    )
