"""A small Django site with one of the libraries, registered and started."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.clients.application import Application
from tests.clients.person import Person
from tests.clients.site import Site

HERE = Path(__file__).parent
BASE = HERE / "django_base"


class DjangoSite(Application):
    """It runs `serve.py` with the settings and addresses of its own folder."""

    def signs_out(self, person: Person) -> str:
        """With the button of the start page; where the browser came to rest."""
        return person.submits(person.opens(f"{self.url}/")).url


@contextmanager
def django_site(
    site: Site, folder: Path, source: str, *, callback: str, options: tuple[str, ...] = ()
) -> Iterator[DjangoSite]:
    """It runs until the end of the block.

    :param source: the folder beside this file with what the library adds
    :param callback: the path of its redirect URI
    :param options: more for `passerelle clients add`
    """
    it = DjangoSite(folder)
    client = site.adds_client(
        source, f"--redirect-uri={it.url}{callback}", f"--post-logout-redirect-uri={it.url}/", *options
    )
    with it.runs_python(
        *(BASE / "serve.py", str(it.port)),
        **site.trust,
        PYTHONPATH=f"{HERE / source}:{BASE}",
        ISSUER=site.issuer,
        CLIENT_ID=client.client_id,
        CLIENT_SECRET=str(client.client_secret),
        HOME_URL=f"{it.url}/",
    ):
        yield it
