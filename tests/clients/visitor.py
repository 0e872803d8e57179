"""A person's browser without scripts: follows where it is sent, keeps its cookies, and fills in the form of CAS."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self
from urllib.parse import urljoin

import requests

from tests.support.real_cas import KnownUser, password_form

SECONDS_MAX = 20


class Visitor:
    """Trusts the institution's authority and no other."""

    def __init__(self, ca_file: str, user: KnownUser) -> None:
        self._user = user
        self._session = requests.Session()
        self._session.trust_env = False
        self._session.verify = ca_file
        self._session.headers["Accept"] = "text/html,application/json;q=0.9"
        self.times_asked = 0
        """How often CAS asked for the password."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._session.close()

    def opens(self, url: str, **how: Any) -> requests.Response:
        """Go there and wherever it leads."""
        return self._session.get(url, timeout=SECONDS_MAX, **how)

    def posts(self, url: str, form: Mapping[str, str] | None = None, **how: Any) -> requests.Response:
        """Send a form, and go wherever it leads."""
        return self._session.post(url, data=form or {}, timeout=SECONDS_MAX, **how)

    def signs_in(self, page: requests.Response) -> requests.Response:
        """If this is CAS's form, fill it in; where that leads in the end."""
        if "/cas/login" not in page.url:
            return page
        form = password_form(page.text)
        self.times_asked += 1
        filled = form.fields | {"username": self._user.name, "password": self._user.password}
        filled.pop("warn", None)  # a checkbox that nobody ticks
        return self.posts(urljoin(page.url, form.action), filled, headers={"Referer": page.url})
