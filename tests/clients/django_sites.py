"""A Django site as `startproject` makes it, with what a recipe prints pasted into it, behind a proxy that ends TLS."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import requests

from tests.clients.application import Application
from tests.clients.person import Person
from tests.clients.site import Site
from tests.support.bridge.tls_proxy import TlsProxy

SOURCE = Path(__file__).with_name("django_site")
WITH_TEMPLATE = 'TEMPLATES[0]["DIRS"] = [BASE_DIR]'
WITH_PAGES = "from pages import pages\n\nurlpatterns += pages\n"


class DjangoSite(Application):
    """While it runs. It speaks plain http itself, as any site of Django's behind a proxy."""

    def is_behind(self, front: TlsProxy) -> None:
        """Where people reach it."""
        self.url = f"https://localhost:{front.port}"

    def presses(self, person: Person, path: str) -> requests.Response:
        """A button on a page of the site; where it leads."""
        return person.submits(person.get(f"{self.url}/button/{path}"))

    def presses_recipes_button(self, person: Person) -> requests.Response:
        """The only one in the recipe's template: in, by a link or a form, or out."""
        page = person.get(f"{self.url}/buttons")
        links = re.findall(r'<a href="([^"]+)">Sign in</a>', page.text)
        return person.get(f"{self.url}{links[0]}") if links else person.submits(page)

    def _answers(self) -> bool:
        """The proxy answers for it before it does."""
        try:
            requests.get(f"http://localhost:{self.port}", allow_redirects=False, timeout=5)
        except requests.RequestException:
            return False
        return True


@contextmanager
def django_site(site: Site, folder: Path, recipe: str, *options: str, settings: str = "") -> Iterator[DjangoSite]:
    """It runs until the end of the block.

    :param options: more for `passerelle clients add`
    :param settings: what the site itself says, after the recipe
    """
    subprocess.run([sys.executable, "-m", "django", "startproject", "campus", folder], check=True, timeout=60)
    it, files = DjangoSite(folder), site.cas.files
    front = TlsProxy(folder, certificate=files.certificate, key=files.key, ca_file=site.ca_file)
    front.forward_to(it.port)
    it.is_behind(front)
    client = site.adds_client(recipe, f"--recipe={recipe}", f"--url={it.url}", *options)
    for into, text in client.configuration.items():
        paste(folder, into, text)
    paste(folder, "settings.py, at the end", f"{settings}\n{WITH_TEMPLATE}")
    paste(folder, "urls.py, at the end", WITH_PAGES)
    with front, it.runs_python(SOURCE / "serve.py", str(it.port), **site.trust):
        yield it


def paste(folder: Path, into: str, text: str) -> None:
    """Where the recipe says: at the end of a file that is there, or into a new module or template."""
    name, _, where = into.partition(", ")
    beside = {"at the end": folder / "campus", "beside manage.py": folder, "a template or part of one": folder}
    place = beside[where] / name
    assert place.exists() is (where == "at the end"), into
    with place.open("a", encoding="utf-8") as file:
        file.write(f"\n{text}\n")
