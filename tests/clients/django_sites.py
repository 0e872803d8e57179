"""Django sites from `startproject`, with the configuration of a recipe, behind a proxy that terminates TLS."""

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
    """A running site, which serves plain http behind a proxy."""

    def use_proxy(self, front: TlsProxy) -> None:
        """Set the public URL to that of the proxy."""
        self.url = f"https://localhost:{front.port}"

    def press(self, person: Person, path: str) -> requests.Response:
        """Press a button on a page of the site and return the resulting page."""
        return person.submit(person.get(f"{self.url}/button/{path}"))

    def press_recipe_button(self, person: Person) -> requests.Response:
        """Press the sign-in or sign-out button of the recipe's template."""
        page = person.get(f"{self.url}/buttons")
        links = re.findall(r'<a href="([^"]+)">Sign in</a>', page.text)
        return person.get(f"{self.url}{links[0]}") if links else person.submit(page)

    def _answers(self) -> bool:
        """Check the site itself, because the proxy answers before it starts."""
        try:
            requests.get(f"http://localhost:{self.port}", allow_redirects=False, timeout=5)
        except requests.RequestException:
            return False
        return True


@contextmanager
def django_site(site: Site, folder: Path, recipe: str, *options: str, settings: str = "") -> Iterator[DjangoSite]:
    """Run a site until the end of the block.

    Args:
        site: The bridge.
        folder: The files of the site.
        recipe: The name of the recipe.
        options: Further options of `passerelle clients add`.
        settings: Lines of settings.py after those of the recipe.
    """
    subprocess.run([sys.executable, "-m", "django", "startproject", "campus", folder], check=True, timeout=60)
    django, files = DjangoSite(folder), site.cas.files
    front = TlsProxy(folder, certificate=files.certificate, key=files.key, ca_file=site.ca_file)
    front.forward_to(django.port)
    django.use_proxy(front)
    client = site.add_client(recipe, f"--recipe={recipe}", f"--url={django.url}", *options)
    for into, text in client.configuration.items():
        paste(folder, into, text)
    paste(folder, "settings.py, at the end", f"{settings}\n{WITH_TEMPLATE}")
    paste(folder, "urls.py, at the end", WITH_PAGES)
    with front, django.configure_python(SOURCE / "serve.py", str(django.port), **site.trust):
        yield django


def paste(folder: Path, into: str, text: str) -> None:
    """Write the text where the recipe says: at the end of an existing file, or into a new module or template."""
    name, _, where = into.partition(", ")
    folders = {"at the end": folder / "campus", "next to manage.py": folder, "a template or a part of one": folder}
    place = folders[where] / name
    assert place.exists() is (where == "at the end"), into
    with place.open("a", encoding="utf-8") as file:
        file.write(f"\n{text}\n")
