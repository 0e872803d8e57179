"""A person with a browser of requests: it goes where it is sent, keeps cookies and checks certificates."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urljoin, urlsplit

import requests

from tests.support.bridge.html_forms import parse_forms
from tests.support.cas.real_cas import RealCas, password_form

SECONDS_MAX = 30
COOKIE_BYTES_MAX = 4096


class Person:
    """Somebody whom CAS knows. A page is where the browser came to rest, `page.url` included."""

    def __init__(self, cas: RealCas) -> None:
        self._cas = cas
        self._session = requests.Session()
        self._session.trust_env = False
        self._session.verify = str(cas.ca_file)
        self._session.headers["Accept"] = "text/html"
        self._session.hooks["response"].append(check_cookies)
        self.passwords_typed = 0

    @property
    def name(self) -> str:
        """At CAS."""
        return self._cas.user.name

    def close(self) -> None:
        """The browser, with everything in it."""
        self._session.close()

    def cookie(self, name: str) -> str | None:
        """Its value, as somebody sees it who planted or read it."""
        return self._session.cookies.get(name)

    def get(self, url: str) -> requests.Response:
        """Type an address, or click a link."""
        return self._session.get(url, timeout=SECONDS_MAX)

    def asks(self, url: str) -> requests.Response:
        """One request, which leads nowhere further."""
        return self._session.get(url, timeout=SECONDS_MAX, allow_redirects=False)

    def post(self, url: str, form: Mapping[str, str], *, page: str = "") -> requests.Response:
        """Send a form that stands on the page of this address."""
        headers = {"Referer": page or url, "Origin": "://".join(urlsplit(page or url)[:2])}
        return self._session.post(url, data=form, headers=headers, timeout=SECONDS_MAX)

    def submits(self, page: requests.Response, *, button: str = "", **typed: str) -> requests.Response:
        """The form of the page that has this button, by name or by value; without a button, its first form."""
        forms = parse_forms(page.text)
        form = next(form for form in forms if not button or any(button in pair for pair in form.buttons))
        pressed = [pair for pair in form.buttons if button and button in pair and pair[0]]
        filled = form.fields | dict(pressed) | typed
        return self.post(urljoin(page.url, form.action), filled, page=page.url)

    def is_at_cas(self, page: requests.Response) -> bool:
        """Whether the browser stands at CAS's own form."""
        return page.url.startswith(f"{self._cas.url}/login")

    def sign_in(self, url: str) -> requests.Response:
        """Open an address of an application, which has to end at CAS's form; fill that in; where it leads then."""
        page = self.get(url)
        assert self.is_at_cas(page), f"{page.url}: {page.status_code} {page.text[:2000]}"
        return self.submit_password(page)

    def submit_password(self, page: requests.Response) -> requests.Response:
        """At CAS's form."""
        form = password_form(page.text)
        self.passwords_typed += 1
        filled = form.fields | {"username": self._cas.user.name, "password": self._cas.user.password}
        filled.pop("warn", None)  # a checkbox that nobody ticks
        return self.post(urljoin(page.url, form.action), filled, page=page.url)


def check_cookies(answer: requests.Response, **_: object) -> None:
    """A browser does not keep a cookie that is larger, and says so to nobody; ours would keep it."""
    for line in answer.raw.headers.getlist("Set-Cookie"):
        kept = line.partition(";")[0]
        assert len(kept) <= COOKIE_BYTES_MAX, f"{answer.url} sets a cookie of {len(kept)} bytes: {kept[:40]}…"
