"""The message to those who run CAS, ready to be pasted: who we are, what to register, what was found. Pure.

In English and French, because those people are seldom the ones who run the bridge, and are asked for a favour.
"""

from __future__ import annotations

import json
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal
from urllib.parse import urlsplit

from bridge.cas.protocol import service_url
from bridge.check.findings import Finding
from bridge.check.registration import service_pattern, single_logout_url
from bridge.check.released import BackupRequest

_NAMES = "(names)"

Language = Literal["en", "fr"]
LANGUAGES: tuple[Language, ...] = ("en", "fr")


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What is asked of them."""

    issuer: str
    cas_url: str
    state_in_cookie: bool
    returns_from_logout: bool = False
    wanted: Sequence[BackupRequest]
    findings: Sequence[Finding]

    @property
    def pattern(self) -> str:
        """The service pattern."""
        return service_pattern(
            self.issuer, state_in_cookie=self.state_in_cookie, returns_from_logout=self.returns_from_logout
        )


_TEXT: Mapping[Language, str] = {
    "en": """\
Subject: registering {host} as a service in CAS

Hello,

we run Passerelle at {issuer}: a bridge by which applications that speak
OpenID Connect sign their users in at your CAS server, {cas_url}. It validates
tickets as any CAS client does and never sees a password. Please register it as follows.

1. Service URL{kind}

       {service}

2. Single logout: type BACK_CHANNEL, logout URL

       {logout}

   {network}
{attributes}{found}
For an Apereo CAS with a JSON registry (before CAS 6.6 the class is
org.apereo.cas.services.RegexRegisteredService; choose id and evaluationOrder as they fit):

{json}

Thank you!
""",
    "fr": """\
Objet : déclarer {host} comme service CAS

Bonjour,

nous exploitons Passerelle à l'adresse {issuer} : un pont par lequel des
applications parlant OpenID Connect authentifient leurs utilisateurs auprès de votre serveur CAS,
{cas_url}. Il valide les tickets comme tout client CAS et ne voit jamais de mot de
passe. Merci de l'enregistrer comme suit.

1. URL du service{kind}

       {service}

2. Déconnexion unique (single logout) : type BACK_CHANNEL, URL de déconnexion

       {logout}

   {network}
{attributes}{found}
Pour un Apereo CAS avec un registre JSON (avant CAS 6.6, la classe est
org.apereo.cas.services.RegexRegisteredService ; id et evaluationOrder à votre convenance) :

{json}

Merci !
""",
}
_KIND: Mapping[Language, tuple[str, str]] = {
    "en": (
        " (a regular expression for the whole of it; the end, after `?`, varies)",
        ", exactly this one",
    ),
    "fr": (
        " (expression régulière pour l'URL entière ; la fin, après « ? », varie)",
        ", exactement celle-ci",
    ),
}
_NETWORK: Mapping[Language, str] = {
    "en": "Your server has to reach that URL (POST) and to trust its certificate.",
    "fr": "Votre serveur doit pouvoir joindre cette URL (POST) et faire confiance à son certificat.",
}
_ATTRIBUTES: Mapping[Language, str] = {
    "en": """
3. Attributes to release to this service

{names}
   Under any of these names; several values each where there are several.
""",
    "fr": """
3. Attributs à transmettre à ce service

{names}
   Sous l'un de ces noms ; avec toutes leurs valeurs lorsqu'il y en a plusieurs.
""",
}
_FOUND: Mapping[Language, str] = {
    "en": "Seen just now from our machine",
    "fr": "Constaté à l'instant depuis notre machine",
}
_OR: Mapping[Language, str] = {"en": " or ", "fr": " ou "}
_WHY: Mapping[str, tuple[str, str]] = {
    "sub": ("the stable key of each user; required", "la clé stable de chaque utilisateur ; indispensable"),
    "preferred_username": ("the user name; required", "le nom d'utilisateur ; indispensable"),
    "admission": ("decides who may use an application", "détermine qui peut utiliser une application"),
    "name": ("the name that applications show", "le nom affiché par les applications"),
    "given_name": ("the given name", "le prénom"),
    "family_name": ("the family name", "le nom de famille"),
    "email": ("the e-mail address", "l'adresse électronique"),
    "groups": ("groups, for access rights", "les groupes, pour les droits d'accès"),
    "eduperson_affiliation": ("student, staff and so on", "étudiant, personnel, etc."),
    "eduperson_principal_name": ("the name across institutions", "l'identifiant inter-établissements"),
}


def message(request: Request, language: Language) -> str:
    """The whole text."""
    constant = service_url(request.issuer, None)
    if request.returns_from_logout:
        constant += f"\n       {request.issuer}/logout/done"
    return _TEXT[language].format(
        host=urlsplit(request.issuer).netloc,
        issuer=request.issuer,
        cas_url=request.cas_url,
        kind=_KIND[language][request.state_in_cookie],
        service=constant if request.state_in_cookie else request.pattern,
        logout=single_logout_url(request.issuer),
        network=_NETWORK[language],
        attributes=_attributes(request.wanted, language),
        found=_found(request.findings, language, number=4 if request.wanted else 3),
        json=_registered_service(request),
    )


def _attributes(wanted: Sequence[BackupRequest], language: Language) -> str:
    if not wanted:
        return ""
    names = [_OR[language].join(wish.attributes) for wish in wanted]
    width = min(max(map(len, names)), 40)
    lines = [f"     - {name.ljust(width)}   {_why(wish, language)}\n" for name, wish in zip(names, wanted, strict=True)]
    return _ATTRIBUTES[language].format(names="".join(lines))


def _why(wish: BackupRequest, language: Language) -> str:
    known = _WHY.get(wish.claim)
    return wish.claim if known is None else known[LANGUAGES.index(language)]


def _found(findings: Sequence[Finding], language: Language, *, number: int) -> str:
    told = [getattr(finding.to_cas, language) for finding in findings if finding.to_cas is not None]
    wrapped = textwrap.TextWrapper(
        88, initial_indent="     - ", subsequent_indent="       ", break_long_words=False, break_on_hyphens=False
    )
    return "\n".join(["", f"{number}. {_FOUND[language]}", "", *map(wrapped.fill, told), ""]) if told else ""


def _registered_service(request: Request) -> str:
    service = {
        "@class": "org.apereo.cas.services.CasRegisteredService",
        "serviceId": request.pattern,
        "name": "Passerelle",
        "id": 1000,
        "evaluationOrder": 10,
        "logoutType": "BACK_CHANNEL",
        "logoutUrl": single_logout_url(request.issuer),
        "attributeReleasePolicy": {
            "@class": "org.apereo.cas.services.ReturnAllowedAttributeReleasePolicy",
            "allowedAttributes": _NAMES,
        },
    }
    # A line for each name would make the longest part of the letter of what matters least.
    names = list(dict.fromkeys(name for wish in request.wanted for name in wish.attributes))
    return json.dumps(service, indent=2).replace(f'"{_NAMES}"', json.dumps(["java.util.ArrayList", names]))
