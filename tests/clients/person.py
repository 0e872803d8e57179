"""A user with a browser made of requests, which follows redirects, keeps cookies and checks certificates."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urljoin, urlsplit

import requests

from tests.support.bridge.html_forms import parse_forms
from tests.support.cas.real_cas import RealCas, password_form

SECONDS_MAX = 30
COOKIE_BYTES_MAX = 4096


class Person:
    """A user of CAS. The returned pages are the last responses after all redirects."""

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
        """The user name at CAS."""
        return self._cas.user.name

    def close(self) -> None:
        """Close the browser."""
        self._session.close()

    def cookie(self, name: str) -> str | None:
        """Return the value of a cookie, as an attacker with access to it would."""
        return self._session.cookies.get(name)

    def get(self, url: str) -> requests.Response:
        """Open a URL and follow redirects."""
        return self._session.get(url, timeout=SECONDS_MAX)

    def get_without_redirects(self, url: str) -> requests.Response:
        """Send one request without following redirects."""
        return self._session.get(url, timeout=SECONDS_MAX, allow_redirects=False)

    def post(self, url: str, form: Mapping[str, str], *, page: str = "") -> requests.Response:
        """Send a form from the page with this URL."""
        headers = {"Referer": page or url, "Origin": "://".join(urlsplit(page or url)[:2])}
        return self._session.post(url, data=form, headers=headers, timeout=SECONDS_MAX)

    def submit(self, page: requests.Response, *, button: str = "", **typed: str) -> requests.Response:
        """Submit the form that has this button, by name or value, or the first form of the page."""
        forms = parse_forms(page.text)
        form = next(form for form in forms if not button or any(button in pair for pair in form.buttons))
        pressed = [pair for pair in form.buttons if button and button in pair and pair[0]]
        filled = form.fields | dict(pressed) | typed
        return self.post(urljoin(page.url, form.action), filled, page=page.url)

    def is_at_cas(self, page: requests.Response) -> bool:
        """Return whether the page is CAS's login form."""
        return page.url.startswith(f"{self._cas.url}/login")

    def sign_in(self, url: str) -> requests.Response:
        """Open a URL that must redirect to CAS's form, log in, and return the resulting page."""
        page = self.get(url)
        assert self.is_at_cas(page), f"{page.url}: {page.status_code} {page.text[:2000]}"
        return self.submit_password(page)

    def submit_password(self, page: requests.Response) -> requests.Response:
        """Fill in and submit CAS's form."""
        form = password_form(page.text)
        self.passwords_typed += 1
        filled = form.fields | {"username": self._cas.user.name, "password": self._cas.user.password}
        filled.pop("warn", None)  # an unchecked checkbox
        return self.post(urljoin(page.url, form.action), filled, page=page.url)


def check_cookies(response: requests.Response, **_: object) -> None:
    """Check the size of cookies, because browsers silently drop larger ones and requests does not."""
    for line in response.raw.headers.getlist("Set-Cookie"):
        kept = line.partition(";")[0]
        assert len(kept) <= COOKIE_BYTES_MAX, f"{response.url} sets a cookie of {len(kept)} bytes: {kept[:40]}…"
