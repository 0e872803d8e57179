"""A CAS server that we did not write, whichever it is, and a browser that a person signs in with at its own pages."""

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
HowToldOfLogout = Literal["at the logout URL", "at the service URL", "by the browser"]


@dataclass(frozen=True)
class KnownUser:
    """Somebody whom the server knows, with all that it releases about them."""

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
    """A server that is running. The bridges it knows are registered one by one, by their issuer."""

    kind: str
    """Which one it is, for people."""
    url: str
    """Its base, https, with `/cas` at the end."""
    ca_file: Path
    """The private authority behind its certificate; the server itself trusts it as well."""
    files: ServerFiles
    """That certificate, good for everything on loopback."""
    protocols: tuple[str, ...]
    """What it can be asked, in the words of the setting `cas_protocol`."""
    speaks_json: bool
    names_every_ticket: bool
    """Whether single logout names each ticket of a CAS session, or only the last for a service."""
    spends_tickets_of_other_services: bool
    """Whether a ticket is dead after it was asked about for another service (CAS protocol §2.5.3)."""

    def __init__(self) -> None:
        self.user = KnownUser()

    @abstractmethod
    def register(self, issuer: str, *, told: HowToldOfLogout = "at the logout URL", exactly: bool = False) -> None:
        """Let this bridge send its users, and tell it of logouts.

        :param exactly: whether its callback is registered as one URL, without a query
        """

    @abstractmethod
    def unregister(self, issuer: str) -> None:
        """Know this bridge no more."""


def service_pattern(issuer: str, *, exactly: bool) -> str:
    """What an administrator would write for a bridge; the second address is where it takes users after a logout."""
    base = re.escape(issuer)
    return rf"^{base}/cas/callback$" if exactly else rf"^{base}/(cas/callback|logout/done)(\?.*)?$"


class CasVisitor:
    """One person's browser as CAS sees it: its cookies, its pages, its forms."""

    def __init__(self, cas: RealCas) -> None:
        self._cas = cas
        self._session = requests.Session()
        self._session.trust_env = False
        self._session.verify = str(cas.ca_file)
        self._session.headers["Accept"] = "text/html"
        self.times_asked = 0
        """How often the password was asked for."""

    def close(self) -> None:
        self._session.close()

    def get(self, url: str, *, form: Mapping[str, str] | None = None) -> requests.Response:
        """One request, which leads nowhere further. A form names the page it is on, as browsers do."""
        headers = {} if form is None else {"Referer": url}
        method = "GET" if form is None else "POST"
        with closing(
            self._session.request(method, url, data=form, headers=headers, allow_redirects=False, timeout=SECONDS_MAX)
        ) as answer:
            return answer

    def sign_in(self, login_url: str) -> str:
        """From the address where the bridge sends a browser to the one where CAS sends it, by password if asked."""
        page = self.get(login_url)
        if page.status_code == 200:
            page = self.types_password(login_url, page)
        assert page.status_code in (302, 303), f"{page.status_code}: {page.text[:2000]}"
        return page.headers["Location"]

    def types_password(self, login_url: str, page: requests.Response, password: str | None = None) -> requests.Response:
        """Fill in the form that is on the page."""
        form = password_form(page.text)
        self.times_asked += 1
        filled = form.fields | {"username": self._cas.user.name, "password": password or self._cas.user.password}
        filled.pop("warn", None)  # a checkbox that nobody ticks
        return self.get(urljoin(login_url, form.action), form=filled)

    def sign_out(self, **parameters: str) -> requests.Response:
        """Open CAS's logout page."""
        with closing(
            self._session.get(f"{self._cas.url}/logout", params=parameters, allow_redirects=False, timeout=SECONDS_MAX)
        ) as answer:
            assert answer.status_code in (200, 302), answer.status_code
            return answer


class Person(Browser):
    """A browser that knows its way at the bridge and at a real CAS server."""

    def __init__(self, wire: Wire, cas: RealCas) -> None:
        super().__init__(wire)
        self.at_cas = CasVisitor(cas)

    def log_in_at_cas(self, answer: Response) -> str:
        return self.at_cas.sign_in(answer.location)


def password_form(page: str) -> Form:
    """The form that asks for a password; that there is one is asserted here."""
    found = [form for form in parse_forms(page) if "password" in form.fields]
    assert found, f"no form asks for a password: {page[:2000]}"
    return found[0]
