"""The certified Node.js client openid-client as a relying party of the same bridge.

It checks issuer, signature (also of tokens from the token endpoint), audience, nonce, state, PKCE, `auth_time`, the
subject of userinfo, the `iss` of the response, content types and token types.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.conformance.conftest import World
from tests.conformance.modules import OPENID_CLIENT, by
from tests.conformance.world import AFTER_LOGOUT, CALLBACK, CLIENT_SECRETS, Person

PACKAGE = Path(__file__).with_name("node")
INSTALL_SECONDS = 120

pytestmark = pytest.mark.needs("node")


@pytest.fixture(scope="session")
def script(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Install openid-client from the lock file, without running package scripts."""
    place = Path(shutil.copytree(PACKAGE, tmp_path_factory.mktemp("node") / "node"))
    install = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]
    done = subprocess.run(install, cwd=place, capture_output=True, text=True, timeout=INSTALL_SECONDS, check=False)
    assert done.returncode == 0, done.stderr
    return place / "relying_party.mjs"


class Driver:
    """The Node.js process; commands and results are one line each."""

    def __init__(self, script: Path, certificate: Path) -> None:
        environment = {"PATH": os.environ["PATH"], "NODE_EXTRA_CA_CERTS": str(certificate / "server.crt")}
        self.process = subprocess.Popen(
            ["node", script],
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def send_line(self, line: str) -> dict[str, Any]:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        assert self.process.stderr is not None
        self.process.stdin.write(f"{line}\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline()
        assert answer, self.process.stderr.read()
        found: dict[str, Any] = json.loads(answer)
        return found

    def close(self) -> None:
        self.process.kill()
        self.process.communicate()


@pytest.fixture
def driver(script: Path, world: World) -> Iterator[Driver]:
    driver = Driver(script, world.certificate)
    yield driver
    driver.close()


def sign_in_with(driver: Driver, world: World, person: Person, **how: Any) -> dict[str, Any]:
    """Run a sign-in from discovery to the logout URL; return what openid-client verified."""
    client_id = how.pop("client_id", "second")
    told = {
        "issuer": world.issuer,
        "client_id": client_id,
        "client_secret": CLIENT_SECRETS[client_id],
        "redirect_uri": CALLBACK,
        "post_logout_redirect_uri": AFTER_LOGOUT,
        **how,
    }
    landing = person.get(driver.send_line(json.dumps(told))["address"])
    assert landing.url.startswith(CALLBACK), f"{landing.url}: {landing.text}"
    return driver.send_line(landing.url)


@by(OPENID_CLIENT)
@pytest.mark.parametrize("method", ["basic", "post"])
def test_all_endpoints_from_discovery_to_logout(method: str, driver: Driver, world: World, person: Person) -> None:
    found = sign_in_with(driver, world, person, method=method)

    assert found["claims"]["sub"] == found["userinfo"]["sub"] == found["fresh"]["sub"] == "alice"
    assert found["userinfo"]["email"] == "alice@example.org"
    assert found["fresh"]["auth_time"] == found["claims"]["auth_time"]
    assert (found["before"]["active"], found["before"]["client_id"]) == (True, "second")
    assert found["after"] == {"active": False}, "a revoked refresh token takes its access tokens along"
    landing = person.get(found["end"])
    assert (landing.url.split("?")[0], landing.parameters) == (AFTER_LOGOUT, {"state": "the state of the logout"})


@by(OPENID_CLIENT)
def test_no_nonce_in_id_token_without_request(driver: Driver, world: World, person: Person) -> None:
    assert "nonce" not in sign_in_with(driver, world, person, nonce=False)["claims"]


@by(OPENID_CLIENT)
def test_max_age_request_returns_auth_time(driver: Driver, world: World, person: Person) -> None:
    assert sign_in_with(driver, world, person, max_age=10000)["claims"]["auth_time"]


@by(OPENID_CLIENT)
def test_openid_client_rejects_foreign_issuer(driver: Driver, world: World, person: Person) -> None:
    """Prove that openid-client verifies responses, which the tests above rely on."""
    told = {"issuer": world.issuer, "client_id": "second", "client_secret": CLIENT_SECRETS["second"]}
    answer = person.get(driver.send_line(json.dumps({**told, "redirect_uri": CALLBACK}))["address"]).url

    with pytest.raises(AssertionError, match='"iss"'):
        driver.send_line(answer.replace("iss=https", "iss=http"))
