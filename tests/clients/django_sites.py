"""A Django site as `startproject` makes it, with what a recipe prints pasted into it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import requests

from tests.clients.application import Application
from tests.clients.person import Person
from tests.clients.site import Site

SOURCE = Path(__file__).with_name("django_site")
WITH_PAGES = "from pages import pages\n\nurlpatterns += pages\n"


class DjangoSite(Application):
    """While it runs."""

    def presses(self, person: Person, path: str) -> requests.Response:
        """A button on a page of the site; where it leads."""
        return person.submits(person.opens(f"{self.url}/button/{path}"))


@contextmanager
def django_site(site: Site, folder: Path, recipe: str, *options: str, settings: str = "") -> Iterator[DjangoSite]:
    """It runs until the end of the block.

    :param options: more for `passerelle clients add`
    :param settings: what the site itself says, after the recipe
    """
    subprocess.run([sys.executable, "-m", "django", "startproject", "campus", folder], check=True, timeout=60)
    it = DjangoSite(folder)
    client = site.adds_client(recipe, f"--recipe={recipe}", f"--url={it.url}", *options)
    for into, text in client.configuration.items():
        paste(folder, into, text)
    paste(folder, "settings.py, at the end", settings)
    paste(folder, "urls.py, at the end", WITH_PAGES)
    with it.runs_python(SOURCE / "serve.py", str(it.port), **site.trust):
        yield it


def paste(folder: Path, into: str, text: str) -> None:
    """Where the recipe says: at the end of a file that is there, or into a new module beside manage.py."""
    name = into.partition(",")[0]
    assert name.endswith(".py"), into
    there = folder / "campus" / name
    place = there if there.exists() else folder / name
    with place.open("a", encoding="utf-8") as file:
        file.write(f"\n{text}\n")
