"""What an administrator sees of the sign-ins of applications, and may do about them."""

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
    """Of the browsers that are signed in."""
    with closing(Store(site.bridge.environment["PASSERELLE_DATABASE_URL"])) as store:
        return {session.sid for session in store.sessions.list_active(now=int(time.time()))}


def ends(site: Site, sid: str) -> None:
    """`passerelle sessions end SID`, in this process."""
    result = CliRunner().invoke(main, ["sessions", "end", sid], env=site.bridge.environment)
    assert result.exit_code == 0, result.output


def edits(site: Site, client: Credentials, *options: str) -> None:
    """`passerelle clients edit`, until the bridge follows."""
    result = CliRunner().invoke(main, ["clients", "edit", client.client_id, *options], env=site.bridge.environment)
    assert result.exit_code == 0, result.output
    time.sleep(RELOAD_SECONDS + 0.2)


def rotates_secret(site: Site, client: Credentials, how: str) -> str | None:
    """`passerelle clients rotate-secret`, until the bridge follows; the new secret, if there is one."""
    words = ["clients", "rotate-secret", client.client_id, how, "--json"]
    result = CliRunner().invoke(main, words, env=site.bridge.environment)
    assert result.exit_code == 0, result.output
    time.sleep(RELOAD_SECONDS + 0.2)
    told: dict[str, str] = json.loads(result.stdout)
    return told.get("client_secret")


def is_good(site: Site, client: Credentials, token: str) -> bool:
    """Whether this client can still use the token, asked without using it up."""
    answer = requests.post(
        f"{site.issuer}/introspect",
        data={"token": token},
        auth=(client.client_id, str(client.client_secret)),
        verify=str(site.ca_file),
        timeout=SECONDS_MAX,
    )
    assert answer.status_code == 200, answer.text
    return bool(answer.json()["active"])
