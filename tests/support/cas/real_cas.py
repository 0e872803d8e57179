"""A real CAS server of any kind, and a browser that logs in at its pages."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal
from urllib.parse import urljoin

import requests

from tests.support.bridge.actors import Browser, Response, Wire
from tests.support.bridge.certificate_authority import ServerFiles
from tests.support.bridge.html_forms import Form, parse_forms

SECONDS_MAX = 20
LogoutChannel = Literal["at the logout URL", "at the service URL", "by the browser"]


@dataclass(frozen=True)
class KnownUser:
    """A user of the server, with all released attributes."""

    name: str = "casuser"
    password: str = "correct horse battery staple"
    attributes: Mapping[str, tuple[str, ...]] = field(
        default_factory=lambda: {
            "mail": ("casuser@example.org",),
            "displayName": ('Zoë "Ünï" <Casüser> & Co',),
            "memberOf": ("staff", "jupyter-admins", "administration-student"),
        }
    )


class RealCas(ABC):
    """A running server. Bridges are registered by their issuer."""

    kind: str
    """Name of the software."""
    version: str
    url: str
    """Base URL: https, with `/cas` at the end."""
    ca_file: Path
    """Private certificate authority of the server, which trusts it as well."""
    files: ServerFiles
    """Certificate of the server, valid for all of loopback."""
    protocols: tuple[str, ...]
    """Supported values of the setting `cas_protocol`; the first is used unless a test sets another."""
    speaks_json: bool
    logout_channels: tuple[LogoutChannel, ...] = ("at the logout URL", "at the service URL")
    """Ways to notify the bridge of a logout, of which each registration selects one."""
    names_every_ticket: bool
    """True if single logout names each ticket of a CAS session, not only the last one of a service."""
    spends_tickets_of_other_services: bool
    """True if validating a ticket for another service consumes it (CAS protocol §2.5.3)."""
    attribute_protocols: tuple[str, ...] = ("3.0", "2.0", "saml1.1")
    """Protocols that release attributes, if the server supports them."""
    reports_auth_time = True
    compares_query = True
    """False if a ticket for a service URL is valid for the same URL with another query."""
    logout_ends_all_sessions = False
    """True if a logout ends the sessions of the user in all browsers."""
    registers_exact_urls = True
    """False if a registered URL is a prefix, so that any query may follow."""
    username_field = "username"

    def __init__(self) -> None:
        self.user = KnownUser()

    @abstractmethod
    def register(self, issuer: str, *, channel: LogoutChannel = "at the logout URL", exactly: bool = False) -> None:
        """Register a bridge.

        `exactly` registers its callback as one URL, without a query.
        """

    @abstractmethod
    def unregister(self, issuer: str) -> None:
        """Remove the registration of a bridge."""

    def age_sessions(self) -> None:  # noqa: B027  most servers always ask for the password
        """Make passwords entered so far old, if the server would still accept them when `renew` is set."""


def service_pattern(issuer: str, *, exactly: bool) -> str:
    """Return the service pattern of a bridge; the second URL is its redirect after logout."""
    base = re.escape(issuer)
    return rf"^{base}/cas/callback$" if exactly else rf"^{base}/(cas/callback|logout/done)(\?.*)?$"


class CasVisitor:
    """The browser of a user at CAS: cookies, pages, forms."""

    def __init__(self, cas: RealCas) -> None:
        self._cas = cas
        self._session = requests.Session()
        self._session.trust_env = False
        self._session.verify = str(cas.ca_file)
        self._session.headers["Accept"] = "text/html"
        self.password_prompts = 0
        """Number of password prompts."""

    def close(self) -> None:
        self._session.close()

    def get(self, url: str, *, form: Mapping[str, str] | None = None) -> requests.Response:
        """Send one request without following redirects. A form sends its page as Referer, as browsers do."""
        headers = {} if form is None else {"Referer": url}
        method = "GET" if form is None else "POST"
        with closing(
            self._session.request(method, url, data=form, headers=headers, allow_redirects=False, timeout=SECONDS_MAX)
        ) as answer:
            return answer

    def sign_in(self, login_url: str) -> str:
        """Follow the login URL of the bridge to the redirect of CAS, with the password if required."""
        page = self.get(login_url)
        if page.status_code == 200 and not asks_for_password(page.text):  # LemonLDAP::NG asks before it renews
            (form,) = parse_forms(page.text)
            login_url = urljoin(login_url, form.action)
            page = self.get(login_url, form=form.fields)
        if page.status_code == 200:
            page = self.submit_password(login_url, page)
        while page.headers.get("Location", "").startswith(urljoin(self._cas.url, "/")):
            page = self.get(page.headers["Location"])
        assert page.status_code in (302, 303), f"{page.status_code}: {page.text[:2000]}"
        return page.headers["Location"]

    def submit_password(
        self, login_url: str, page: requests.Response, password: str | None = None
    ) -> requests.Response:
        """Submit the password form of a page."""
        form = password_form(page.text)
        self.password_prompts += 1
        filled = form.fields | {
            self._cas.username_field: self._cas.user.name,
            "password": password or self._cas.user.password,
        }
        filled.pop("warn", None)  # an unchecked checkbox
        return self.get(urljoin(login_url, form.action), form=filled)

    def sign_out(self, **parameters: str) -> requests.Response:
        """Open the logout page of CAS."""
        with closing(
            self._session.get(f"{self._cas.url}/logout", params=parameters, allow_redirects=False, timeout=SECONDS_MAX)
        ) as answer:
            assert answer.status_code in (200, 302), answer.status_code
            return answer


class Person(Browser):
    """A browser that logs in at the bridge and at a real CAS server."""

    def __init__(self, wire: Wire, cas: RealCas) -> None:
        super().__init__(wire)
        self.at_cas = CasVisitor(cas)

    def log_in_at_cas(self, answer: Response) -> str:
        return self.at_cas.sign_in(answer.location)


def asks_for_password(page: str) -> bool:
    """Return whether a page has a password form."""
    return any("password" in form.fields for form in parse_forms(page))


def password_form(page: str) -> Form:
    """Return the password form of a page."""
    assert asks_for_password(page), f"no form asks for a password: {page[:2000]}"
    return next(form for form in parse_forms(page) if "password" in form.fields)
