"""A small Flask application, registered and started, over https with a certificate of the institution's authority."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.clients.application import Application
from tests.clients.site import Site


@contextmanager
def flask_application(
    site: Site,
    folder: Path,
    source: Path,
    *,
    callback: str,
    after_logout: str = "/",
    told: str | None = None,
    options: tuple[str, ...] = (),
) -> Iterator[Application]:
    """It runs until the end of the block.

    :param callback: the path of its redirect URI
    :param told: the path where it hears of logouts
    :param options: more for `passerelle clients add`
    """
    application = Application(folder, ca_file=site.ca_file)
    client = site.adds_client(
        folder.name,
        f"--redirect-uri={application.url}{callback}",
        f"--post-logout-redirect-uri={application.url}{after_logout}",
        "--scope=openid profile email groups offline_access",
        "--grant-type=authorization_code",
        "--grant-type=refresh_token",
        *([] if told is None else [f"--backchannel-logout-uri={application.url}{told}"]),
        *options,
    )
    files = site.cas.files
    with application.runs_python(
        *("-m", "flask", "--app", source, "run", "--port", str(application.port)),
        *("--cert", files.certificate, "--key", files.key),
        **site.trust,
        ISSUER=site.issuer,
        CLIENT_ID=client.client_id,
        CLIENT_SECRET=str(client.client_secret),
        HOME_URL=f"{application.url}/",
    ):
        yield application
