"""Whether a server is where the settings say, speaks TLS as it should, and knows what time it is. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from email.utils import parsedate_to_datetime

from bridge.cas.client import CONNECT_SECONDS, READ_SECONDS
from bridge.check.certificates import Certificate, Trust, judge_untrusted
from bridge.check.findings import Finding, Told, duration, fault, listed, ok, plain, warning
from bridge.check.probe import Answer, Place, Trouble
from bridge.settings import is_loopback

CLOCK_SKEW_SECONDS = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """What a server is to us, for the sentences about it."""

    about: str
    """The first part of its findings' names."""
    name: str
    """As in "The CAS server"."""
    setting: str
    """Where its address is."""
    remedy: str
    """What to do when nothing answers there."""


def judge_trouble(
    server: Server, place: Place, trouble: Trouble, chain: Sequence[Certificate], trust: Trust
) -> Finding:
    """Why there was no answer.

    :param chain: the certificates that were seen, when it is one of them that is not trusted
    """
    where = f"{place.host}:{place.port}"
    if trouble.numbers and list(trouble.numbers) != [place.host]:
        where += f" ({listed(trouble.numbers, most=4)})"
    if place.proxy and trouble.kind in ("name", "refused", "unconnected", "silent", "network"):
        return fault(
            f"{server.about}.port",
            f"No connection to {where} through PASSERELLE_CAS_PROXY: {plain(trouble.detail)}.",
            "The proxy does not answer, or does not lead there.",
            "Check the proxy's address and password, and that it allows this host.",
        )
    if trouble.kind == "name":
        return fault(
            f"{server.about}.name",
            f"The host name {place.host} is not known to this machine ({plain(trouble.detail)}).",
            f"{server.name} cannot be found.",
            f"Correct {server.setting}, or the DNS where the bridge runs (`getent hosts {place.host}`). "
            "A container does not read the /etc/hosts of its machine (docs/operating.md says how to tell it).",
        )
    if trouble.kind == "certificate":
        return judge_untrusted(f"{server.about}.certificate", place.host, chain, trouble.detail, trust)
    if trouble.kind == "unconnected":
        return _unconnected(server, where, trouble)
    means, do = {
        "refused": ("The machine is there, and nothing listens at that port.", server.remedy),
        "silent": ("Something listens there and took the connection, but says nothing: it hangs.", server.remedy),
        "tls": ("What listens there does not speak TLS.", f"Correct the port, or https to http, in {server.setting}."),
        "http": ("What listens there does not speak HTTP.", f"Correct the port or the scheme in {server.setting}."),
    }.get(trouble.kind, ("This machine has no way there.", server.remedy))
    if trouble.numbers and all(map(is_loopback, trouble.numbers)):
        means = f"{means} That address is the machine or the container itself in which this runs."
    return fault(f"{server.about}.port", f"No answer from {where}: {plain(trouble.detail)}.", means, do)


def _unconnected(server: Server, where: str, trouble: Trouble) -> Finding:
    return fault(
        f"{server.about}.port",
        f"No connection to {where}: {plain(trouble.detail)}.",
        "Something on the way, most likely a firewall, drops what is sent there, or the machine is off.",
        server.remedy,
        Told(
            f"Our machine gets no connection to {where}: packets seem to be dropped. Please allow our address there.",
            f"Notre machine n'obtient aucune connexion à {where} : les paquets semblent être rejetés en silence. Merci "
            "d'y autoriser notre adresse.",
        ),
    )


def judge_speed(about: str, answer: Answer) -> Finding | None:
    """Whether CAS answers within the time that a sign-in waits; None when it does with ease."""
    spans = ((answer.connect_seconds, CONNECT_SECONDS, "be reached"), (answer.answer_seconds, READ_SECONDS, "answer"))
    took, limit, to_do = max(spans, key=lambda span: span[0] / span[1])
    if took <= limit / 2:
        return None
    seen = f"CAS took {took:.1f} s to {to_do}; a sign-in waits {limit:.0f} s for that."
    told = Told(
        f"Your server took {took:.1f} s to {to_do} when a ticket was validated; please look into why.",
        f"Votre serveur a mis {took:.1f} s à répondre à une validation de ticket ; merci d'en chercher la raison.",
    )
    do = "Run this again; if it stays, ask the CAS administrator why, or look at DNS and proxies on the way."
    if took > limit:
        return fault(about, seen, "Sign-ins end with an error page (502).", do, told)
    return warning(about, seen, "When CAS is busier than now, sign-ins will fail.", do, told)


def judge_without_tls(about: str, place: Place, *, is_internal: bool) -> Finding:
    """Of a server that answers by http, to us alone or to browsers as well."""
    seen = f"The server answers at {place.host}:{place.port}, without TLS"
    if is_internal or is_loopback(place.host):
        return ok(about, f"{seen}: right within one machine or a closed network.")
    means = "Passwords, tickets and names can be read and changed on the way."
    told = Told(
        f"http://{place.host} answers without TLS: is there an https address?",
        f"http://{place.host} répond sans TLS : existe-t-il une adresse https ?",
    )
    return warning(about, f"{seen}.", means, "Ask for its https address, and set PASSERELLE_CAS_URL to that.", told)


def judge_clock(about: str, answer: Answer) -> Finding | None:
    """Their Date against our clock; None when there is none to read."""
    try:
        theirs = parsedate_to_datetime(answer.headers["date"]).timestamp()
    except (KeyError, ValueError, TypeError, IndexError, OverflowError):
        return None
    apart = theirs - answer.received_at
    if abs(apart) <= CLOCK_SKEW_SECONDS:
        return ok(about, f"The clocks of CAS and of this machine agree ({abs(apart):.0f} s apart).")
    order = "ahead of" if apart > 0 else "behind"
    return fault(
        about,
        f"CAS's clock is {duration(apart)} {order} this machine's.",
        "Sign-in times will be wrong: applications ask for the password again and again, or not when they should.",
        "Compare `date -u` with the real time; switch on time synchronisation on the machine that is wrong.",
        Told(
            f"Your server's clock (Date header) is {duration(apart)} {order} ours; please check its NTP.",
            f"L'horloge de votre serveur (en-tête Date) est décalée de {round(abs(apart))} s "
            f"({'en avance' if apart > 0 else 'en retard'}) par rapport à la nôtre ; merci de vérifier NTP.",
        ),
    )
