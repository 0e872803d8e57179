"""A small Flask application, registered and started, over https with a certificate of the institution's authority."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.clients.application import Application
from tests.clients.site import Credentials, Site

TOKENS = (
    "--scope=openid profile email groups offline_access",
    "--grant-type=authorization_code",
    "--grant-type=refresh_token",
)


@contextmanager
def flask_application(site: Site, folder: Path, source: Path, *, callback: str, **more: str) -> Iterator[Application]:
    """One that finds its configuration in the environment; it runs until the end of the block.

    :param callback: the path of its redirect URI
    :param more: likewise `after_logout` ("/" if not given) and `told`, and other options of `passerelle clients add`
    """
    application = Application(folder, ca_file=site.ca_file)
    paths = {"redirect-uri": callback, "post-logout-redirect-uri": more.pop("after_logout", "/")}
    if told := more.pop("told", ""):
        paths["backchannel-logout-uri"] = told
    addresses = [f"--{name}={application.url}{path}" for name, path in paths.items()]
    options = [f"--{name.replace('_', '-')}={value}" for name, value in more.items()]
    client = site.adds_client(folder.name, *addresses, *TOKENS, *options)
    environment = {
        "ISSUER": site.issuer,
        "CLIENT_ID": client.client_id,
        "CLIENT_SECRET": str(client.client_secret),
        "HOME_URL": f"{application.url}/",
    }
    with _runs(application, site, source, environment):
        yield application


@contextmanager
def flask_recipe(site: Site, folder: Path, recipe: str, beside: Path | None = None) -> Iterator[Application]:
    """What the recipe prints, as app.py; it runs until the end of the block.

    :param beside: a module that imports it and adds pages
    """
    application = Application(folder, ca_file=site.ca_file)
    client: Credentials = site.adds_client(recipe, f"--recipe={recipe}", f"--url={application.url}")
    source = folder / "app.py"
    source.write_text(client.configuration["app.py"], encoding="utf-8")
    with _runs(application, site, beside or source, {}):
        yield application


def _runs(application: Application, site: Site, source: Path, environment: dict[str, str]) -> Application:
    files = site.cas.files
    return application.runs_python(
        *("-m", "flask", "--app", source, "run", "--port", str(application.port)),
        *("--cert", files.certificate, "--key", files.key),
        **site.trust,
        **environment,
    )
