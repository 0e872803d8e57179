"""Findings about the public address of the bridge as other machines see it. Pure."""

import json
from collections.abc import Collection
from functools import partial
from typing import Any
from urllib.parse import urlsplit

from bridge.check.certificates import Certificate
from bridge.check.findings import Finding, fault, note, ok, printable, skipped, warning
from bridge.check.probe import Failure, Response
from bridge.check.protocols import without_query
from bridge.check.single_logout import REQUEST_ID

_GATEWAY_STATUSES = (502, 503, 504)


def evaluate_program(issuer: str, discovery: Response) -> Finding | None:
    """Evaluate whether a bridge answers at the issuer; return None if it does."""
    report = partial(fault, "public.program")
    if discovery.is_redirect:
        return report(
            f"{discovery.url} redirects to {printable(without_query(discovery.location))}.",
            "Applications find no provider there.",
            "Correct PASSERELLE_ISSUER, or remove the redirect in the reverse proxy: clients do not follow it.",
        )
    if discovery.status in _GATEWAY_STATUSES and REQUEST_ID not in discovery.headers:
        return report(
            f"The reverse proxy responds for {issuer}, but not the bridge behind it (status {discovery.status}).",
            "The bridge does not run, or the proxy uses another address for it.",
            "Start `passerelle serve`, and compare PASSERELLE_BIND with the address in the proxy's configuration. "
            "(Before the bridge runs: `passerelle check --no-public`.)",
        )
    if discovery.status != 200 or served_issuer(discovery) is None:
        content = "a web page" if discovery.is_page else f"status {discovery.status}"
        return report(
            f"A program other than Passerelle responds at {discovery.url} ({content}).",
            "The host name leads to another machine, or the proxy does not forward this host and path to the bridge.",
            "Correct the DNS entry or the proxy's rule for this host. The proxy must forward the path unchanged.",
        )
    return None


def evaluate_edge_certificate(host: str, leaf: Certificate) -> Finding:
    """Evaluate a certificate of the bundle's own edge that this machine does not trust."""
    do = (
        "Put a certificate from an authority that they trust, with its chain, into deployment/certs/server.crt and its "
        "key into deployment/certs/server.key. Then run `docker compose up -d`."
    )
    if leaf.is_self_signed:
        seen = f"The certificate of {host} is this deployment's own and self-signed: no other machine trusts it."
        means = "Browsers show a warning, and CAS cannot notify the bridge of sign-outs."
        return fault("public.certificate", seen, means, do)
    seen = (
        f"The certificate of {host} is this deployment's own, from {leaf.issuer!r}, which this machine does not trust."
    )
    means = "It works only for browsers and CAS servers that trust this authority."
    do = f"{do} If all of them trust it, pass its certificate (PEM) with --ca-file."
    return warning("public.certificate", seen, means, do)


def _json_field(response: Response, name: str) -> Any:
    try:
        return json.loads(response.body)[name]
    except (ValueError, RecursionError, LookupError, TypeError):
        return None


def served_issuer(discovery: Response) -> str | None:
    """Return the issuer in a discovery document (OIDC Discovery §3), or None."""
    issuer = _json_field(discovery, "issuer")
    return issuer if isinstance(issuer, str) else None


def evaluate_issuer(configured: str, served: str) -> Finding:
    """Compare the served issuer with the configured one; they must be identical (OIDC Discovery §4.3)."""
    if served == configured:
        return ok("public.issuer", f"The bridge serves the configured issuer, {configured}.")
    return fault(
        "public.issuer",
        f"The bridge at {configured} serves the issuer {printable(served)}: {url_difference(configured, served)}.",
        "Applications reject every token, because the issuer must be identical.",
        "Set the same PASSERELLE_ISSUER for the running bridge and this command, then restart the bridge. If it is the "
        "same, the host name leads to another installation.",
    )


def url_difference(one: str, other: str) -> str:
    """Name the parts in which two URLs differ."""
    parts = {"scheme": "scheme", "host": "hostname", "port": "port", "path": "path"}
    try:
        first, second = urlsplit(one), urlsplit(other)
        differing = [name for name, field in parts.items() if getattr(first, field) != getattr(second, field)]
    except ValueError:
        return "it is not a URL"
    if one.rstrip("/") == other.rstrip("/"):
        return "a trailing slash differs"
    return ", ".join(f"the {name} differs" for name in differing) or "they differ in case or spelling"


def evaluate_identity(discovery: Response, jwks: Response | Failure, our_kids: Collection[str]) -> Finding:
    """Evaluate whether the responding bridge uses our database, by its signing keys."""
    if REQUEST_ID not in discovery.headers:
        seen = "The response lacks the header X-Request-Id, which the bridge always sets."
        means = "Another program or a cache responds, or the proxy removes headers, so error pages have no reference."
        return warning("public.bridge", seen, means, "Forward response headers unchanged in the reverse proxy.")
    if not our_kids or isinstance(jwks, Failure):
        reason = "its keys could not be fetched" if our_kids else "the database holds no keys yet"
        return skipped("public.bridge", "The database of the responding bridge", reason)
    if _kids(jwks) & set(our_kids):
        return ok("public.bridge", "The responding bridge uses this database.")
    return fault(
        "public.bridge",
        "The responding bridge has other signing keys than this database.",
        "It uses another database: another installation, an old container, or other settings than this command.",
        "Run this command with the environment of the running bridge, or stop the other bridge.",
    )


def _kids(jwks: Response) -> set[str]:
    keys = _json_field(jwks, "keys")
    return {str(key.get("kid")) for key in keys if isinstance(key, dict)} if isinstance(keys, list) else set()


def evaluate_plain_http(issuer: str, response: Response | Failure) -> Finding:
    """Evaluate the response over plain HTTP, which browsers may request for a bare host name."""
    if isinstance(response, Failure):
        seen = f"No program responds at {response.url}."
        return note("public.http", seen, "Users who enter the address without https:// may see an error.")
    if response.is_redirect and response.location.startswith("https:"):
        return ok("public.http", "Plain HTTP redirects to https.")
    seen = f"{without_query(response.url)} responds without https (status {response.status})."
    do = f"Redirect it to {issuer} in the reverse proxy."
    return warning("public.http", seen, "Data sent there can be read in transit.", do)


def evaluate_metrics(response: Response | Failure) -> Finding:
    """Evaluate whether the metrics are public."""
    if isinstance(response, Response) and response.status == 200 and b"passerelle_" in response.body:
        seen = f"Any unauthenticated client can read {response.url}."
        do = "Remove the Authorization header that the reverse proxy adds to requests for /metrics."
        return fault("public.metrics", seen, "The sign-in statistics are public.", do)
    return ok("public.metrics", "The metrics are not public.")


def evaluate_hsts(discovery: Response) -> Finding:
    """Evaluate the Strict-Transport-Security header (RFC 6797)."""
    if "strict-transport-security" in discovery.headers:
        return ok("public.hsts", "Browsers must use https (HSTS).")
    seen = "Browsers may use plain HTTP (no Strict-Transport-Security header)."
    do = "Add `Strict-Transport-Security: max-age=31536000` in the reverse proxy."
    return note("public.hsts", seen, "An attacker could intercept the first visit over plain HTTP.", do)
