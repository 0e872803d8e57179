"""Flask applications, registered and started, over https with a certificate of a private authority."""

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
    "--no-consent",
)


@contextmanager
def flask_application(
    site: Site, folder: Path, source: Path, *, callback: str, **options: str
) -> Iterator[Application]:
    """Run an application that reads its configuration from the environment, until the end of the block.

    Args:
        site: The bridge.
        folder: The files of the application.
        source: Its module.
        callback: The path of its redirect URI.
        options: The paths `after_logout` ("/" by default) and `backchannel`, and options of `passerelle clients add`.
    """
    application = Application(folder, ca_file=site.ca_file)
    paths = {"redirect-uri": callback, "post-logout-redirect-uri": options.pop("after_logout", "/")}
    if backchannel := options.pop("backchannel", ""):
        paths["backchannel-logout-uri"] = backchannel
    addresses = [f"--{name}={application.url}{path}" for name, path in paths.items()]
    further = [f"--{name.replace('_', '-')}={value}" for name, value in options.items()]
    client = site.add_client(folder.name, *addresses, *TOKENS, *further)
    environment = {
        "ISSUER": site.issuer,
        "CLIENT_ID": client.client_id,
        "CLIENT_SECRET": str(client.client_secret),
        "HOME_URL": f"{application.url}/",
    }
    with _configure(application, site, source, environment):
        yield application


@contextmanager
def flask_recipe(site: Site, folder: Path, recipe: str, extra_pages: Path | None = None) -> Iterator[Application]:
    """Run the application of a recipe until the end of the block; `extra_pages` is a module that adds pages to it."""
    application = Application(folder, ca_file=site.ca_file)
    client: Credentials = site.add_client(recipe, f"--recipe={recipe}", f"--url={application.url}")
    source = folder / "app.py"
    source.write_text(client.configuration["app.py"], encoding="utf-8")
    with _configure(application, site, extra_pages or source, {}):
        yield application


def _configure(application: Application, site: Site, source: Path, environment: dict[str, str]) -> Application:
    files = site.cas.files
    return application.configure_python(
        *("-m", "flask", "--app", source, "run", "--port", str(application.port)),
        *("--cert", files.certificate, "--key", files.key),
        **site.trust,
        **environment,
    )
