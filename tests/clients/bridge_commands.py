"""Commands of the administrator, and queries for sessions and tokens."""

from __future__ import annotations

import json
import time
from contextlib import closing

import requests
from click.testing import CliRunner

from bridge.cli import main
from bridge.oauth.clients import RELOAD_SECONDS
from bridge.store import Store
from tests.clients.site import Credentials, Site

SECONDS_MAX = 20


def sessions(site: Site) -> set[str]:
    """Return the ids of all current sessions."""
    with closing(Store(site.bridge.environment["PASSERELLE_DATABASE_URL"])) as store:
        return {session.sid for session in store.sessions.list_active(now=int(time.time()))}


def end_session(site: Site, sid: str) -> None:
    """Run `passerelle sessions end SID`."""
    result = CliRunner().invoke(main, ["sessions", "end", sid], env=site.bridge.environment)
    assert result.exit_code == 0, result.output


def edit_client(site: Site, client: Credentials, *options: str) -> None:
    """Run `passerelle clients edit`, and wait until the bridge has loaded the change."""
    result = CliRunner().invoke(main, ["clients", "edit", client.client_id, *options], env=site.bridge.environment)
    assert result.exit_code == 0, result.output
    time.sleep(RELOAD_SECONDS + 0.2)


def rotate_secret(site: Site, client: Credentials, how: str) -> str | None:
    """Run `passerelle clients rotate-secret`, wait for the bridge, and return the new secret, if any."""
    words = ["clients", "rotate-secret", client.client_id, how, "--json"]
    result = CliRunner().invoke(main, words, env=site.bridge.environment)
    assert result.exit_code == 0, result.output
    time.sleep(RELOAD_SECONDS + 0.2)
    output: dict[str, str] = json.loads(result.stdout)
    return output.get("client_secret")


def is_token_active(site: Site, client: Credentials, token: str) -> bool:
    """Return whether the token is active, by introspection."""
    response = requests.post(
        f"{site.issuer}/introspect",
        data={"token": token},
        auth=(client.client_id, str(client.client_secret)),
        verify=str(site.ca_file),
        timeout=SECONDS_MAX,
    )
    assert response.status_code == 200, response.text
    return bool(response.json()["active"])
