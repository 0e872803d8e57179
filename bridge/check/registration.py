"""What those who run CAS have to register, and whether they have. Pure."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from bridge.cas.protocol import service_url
from bridge.check.findings import Finding, Told, fault, left_out, note, ok, plain, warning
from bridge.check.probe import Answer, Trouble
from bridge.check.protocols import without_query

# Reserved for names that never exist (RFC 6761 §6.4): no registry can mean it, and nothing leads there.
NOT_REGISTERED = "https://passerelle-check.invalid/cas/callback"

_PASSWORD_FIELD = re.compile(rb"<input[^>]*\btype\s*=\s*[\"']?password", re.I)
_SPECIAL, _ESCAPED = re.compile(r"([.^$*+?()\[\]{}|\\])"), r"\\\1"


def service_pattern(issuer: str, *, state_in_cookie: bool, returns_from_logout: bool = False) -> str:
    """The regular expression to register, for the whole service URL: read alike by Java, Python and Perl.

    :param returns_from_logout: whether CAS sends browsers back after a logout too (`cas_logout` = return)
    """
    if returns_from_logout:
        exact = rf"{_SPECIAL.sub(_ESCAPED, issuer)}/(cas/callback|logout/done)"
    else:
        exact = _SPECIAL.sub(_ESCAPED, service_url(issuer, None))
    return f"^{exact}$" if state_in_cookie else rf"^{exact}(\?.*)?$"


def single_logout_url(issuer: str) -> str:
    """Where CAS reports that somebody signed out."""
    return f"{issuer}/cas/logout"


def judge_service(
    about: str, ours: Answer | Trouble, other: Answer | Trouble | None, service: str, pattern: str
) -> Finding:
    """Whether our service URL is registered.

    :param ours: of the sign-in page, told to ask nothing: it sends a registered service's browser back at once (§2.1.1)
    :param other: likewise with `NOT_REGISTERED`, as a cross-check; without any service where ours failed (5xx)
    """
    if isinstance(ours, Trouble):
        return left_out(about, "Whether our address is registered at CAS", f"its sign-in page gave {ours.detail}")
    if ours.is_redirect:
        return _judge_redirect(about, ours, other, service, pattern)
    if ours.status == 404:
        return _no_login_page(about, ours)
    if ours.status >= 500 and not (isinstance(other, Answer) and other.status == 200):
        return _failed(about, ours)
    return _judge_page(about, ours, other, service, pattern)


def _judge_page(about: str, ours: Answer, other: Answer | Trouble | None, service: str, pattern: str) -> Finding:
    """Of a page in place of a redirect."""
    if ours.status == 429:
        return left_out(about, "Whether our address is registered at CAS", "it says that it was asked too much (429)")
    if _is_told_apart(ours, other):
        return note(
            about,
            "CAS shows its sign-in page for our address, and refuses an unknown one.",
            "Ours is registered; this server does not know gateway=true, so prompt=none will not work.",
        )
    if is_form(ours):
        return warning(
            about,
            f"CAS shows its sign-in form, though it was told to ask nothing, for {service}.",
            "Whether our address is registered cannot be told; prompt=none will not work.",
            "Try a sign-in.",
        )
    return not_registered(about, ours, service, pattern)


def looks_unregistered(ours: Answer | Trouble, other: Answer | Trouble | None) -> bool:
    """Whether CAS refuses our address, as far as such pages can be told from others."""
    if isinstance(ours, Trouble) or ours.is_redirect or ours.status in (404, 429) or is_form(ours):
        return False
    if ours.status >= 500:
        return isinstance(other, Answer) and other.status == 200
    return not _is_told_apart(ours, other)


def _is_told_apart(ours: Answer, other: Answer | Trouble | None) -> bool:
    if ours.status != 200 or not isinstance(other, Answer):
        return False
    return 400 <= other.status < 500 or (other.status == 200 and is_form(ours) and not is_form(other))


def is_form(answer: Answer) -> bool:
    """Whether somebody is asked for a password."""
    return answer.status == 200 and _PASSWORD_FIELD.search(answer.body) is not None


def _judge_redirect(about: str, ours: Answer, other: Answer | Trouble | None, service: str, pattern: str) -> Finding:
    if not leads_to(ours.location, service):
        return _led_elsewhere(about, ours)
    if isinstance(other, Answer) and other.is_redirect and leads_to(other.location, NOT_REGISTERED):
        return note(
            about,
            "CAS sends browsers back to our address, but to any other address as well.",
            "It registers everything, or checks later: this proves nothing. A sign-in will show.",
            f"Have ours registered all the same, for attributes and single logout: {pattern}",
        )
    return ok(about, f"Our address is registered at CAS: it sends browsers back to {without_query(service)}.")


def _failed(about: str, ours: Answer) -> Finding:
    return fault(
        about,
        f"CAS failed at its sign-in page (status {ours.status}).",
        "Nobody can sign in while that lasts.",
        "Tell the CAS administrator; their log says why.",
        Told(
            f"Your sign-in page answers with status {ours.status} when it is called with our service URL.",
            f"Votre page de connexion répond par l'état {ours.status} lorsqu'elle est appelée avec notre URL de "
            "service.",
        ),
    )


def not_registered(about: str, ours: Answer, service: str, pattern: str) -> Finding:
    return fault(
        about,
        f"CAS shows a page (status {ours.status}) in place of sending browsers back to {service}.",
        "Our address is not registered there: CAS gives us no tickets, and users read that they may not use it.",
        f"Send the CAS administrator the message of `passerelle check --message`; the pattern is {pattern}",
        Told(
            f"Our service URL is not registered yet: your sign-in page shows an error (status {ours.status}) "
            "in place of sending browsers back.",
            f"Notre URL de service n'est pas encore enregistrée : votre page de connexion affiche une erreur (état "
            f"{ours.status}) au lieu de renvoyer le navigateur.",
        ),
    )


def judge_without_query(about: str, service: str, bare: str, pattern: str) -> Finding:
    """Of a registry that knows our address without its query alone."""
    return fault(
        about,
        f"CAS knows {bare}, but not {service}.",
        "Our address is registered without the query, which every sign-in has: CAS gives us no tickets.",
        f"Ask the CAS administrator to end the pattern in (\\?.*)? ({pattern}). If nobody can, set "
        "PASSERELLE_CAS_SERVICE_STATE=cookie, which protects less.",
        Told(
            f"Our service URL is registered without its query, so {service} is refused; please let the pattern end in "
            "(\\?.*)? as above.",
            f"Notre URL de service est enregistrée sans sa partie après « ? » : {service} est refusée ; merci de "
            "terminer l'expression par (\\?.*)? comme ci-dessus.",
        ),
    )


def judge_wrong_scheme(about: str, service: str, known: str, pattern: str) -> Finding:
    """Of a registry that knows our address by https in place of http, or the other way round."""
    ours, theirs = service.partition(":")[0], known.partition(":")[0]
    return fault(
        about,
        f"CAS knows {known}, but not {service}.",
        f"Our address is registered as {theirs}, and is {ours}: CAS gives us no tickets.",
        f"Ask the CAS administrator to register {pattern} or, if browsers reach this site by {theirs}, correct "
        "PASSERELLE_ISSUER.",
        Told(
            f"Our service URL is registered with {theirs}: it has to be {ours}, as above.",
            f"Notre URL de service est enregistrée en {theirs} : il faut {ours}, comme ci-dessus.",
        ),
    )


def _led_elsewhere(about: str, ours: Answer) -> Finding:
    target = plain(without_query(ours.location))
    return warning(
        about,
        f"CAS's sign-in page redirects to {target}.",
        "Browsers follow that, this check does not: whether our address is registered was not seen.",
        "If CAS has moved there, correct PASSERELLE_CAS_URL; if that is another identity provider, try a sign-in.",
    )


def _no_login_page(about: str, ours: Answer) -> Finding:
    return fault(
        about,
        f"There is no sign-in page at {without_query(ours.url)} (status 404).",
        "Users are sent to a page that does not exist.",
        "Correct PASSERELLE_CAS_URL (the address before /login), or name the page in PASSERELLE_CAS_LOGIN_URL.",
    )


def leads_to(location: str, service: str) -> bool:
    """Whether a redirect goes to a service. Servers write the query anew, so it is not compared."""
    try:
        there, ours = urlsplit(location), urlsplit(service)
        return there.path == ours.path and (there.scheme, there.netloc.lower()) == (ours.scheme, ours.netloc.lower())
    except ValueError:
        return False
