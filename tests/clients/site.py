"""The environment of all client tests: a running bridge over https, a real CAS server, and users with browsers.

The bridge is the installed `passerelle serve` behind a real Traefik that terminates TLS. Only programs that get
`ca_file` trust its certificate. `passerelle clients add` registers the applications.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from uuid import NAMESPACE_URL, uuid5

from click.testing import CliRunner

from bridge.cli import main
from bridge.oauth.clients import RELOAD_SECONDS
from tests.clients.person import Person
from tests.support.bridge.live_bridge import LiveBridge
from tests.support.bridge.tls_proxy import TlsProxy
from tests.support.cas.django_cas import DjangoCas
from tests.support.cas.real_cas import KnownUser

COURSES = 200


@dataclass(frozen=True)
class Credentials:
    """The output of `passerelle clients add`."""

    client_id: str
    client_secret: str | None = None
    """None for a public client."""
    configuration: Mapping[str, str] = field(default_factory=dict)
    """The configuration of a recipe, by its place."""


class Site:
    """The running bridge and CAS server."""

    def __init__(self, cas: DjangoCas, bridge: LiveBridge, issuer: str, people: ExitStack) -> None:
        self.cas, self.bridge, self.issuer = cas, bridge, issuer
        self.ca_file = cas.ca_file
        self._people = people
        self._changed_at = float("-inf")

    @property
    def trust(self) -> dict[str, str]:
        """Environment variables that make OpenSSL, requests and Node.js trust the private authority."""
        names = ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "NODE_EXTRA_CA_CERTS")
        return dict.fromkeys(names, str(self.ca_file))

    def person(self) -> Person:
        """Return a person with a new browser, once the bridge has loaded every client."""
        self.wait_until_known()
        person = Person(self.cas)
        self._people.callback(person.close)
        return person

    def add_client(self, name: str, *options: str) -> Credentials:
        """Run `passerelle clients add` in this process, because starting the program takes seconds."""
        result = CliRunner().invoke(main, ["clients", "add", name, *options, "--json"], env=self.bridge.environment)
        assert result.exit_code == 0, result.output
        self._changed_at = time.monotonic()
        added = json.loads(result.stdout)
        blocks = {block["into"]: block["text"] for block in added.get("configuration", ())}
        return Credentials(added["client_id"], added.get("client_secret"), blocks)

    def wait_until_known(self) -> None:
        """Wait until the running bridge has loaded the last added client."""
        time.sleep(max(0.0, self._changed_at + RELOAD_SECONDS + 0.2 - time.monotonic()))


def user_with_many_groups() -> KnownUser:
    """Return a user whose groups test the limits of cookies, headers and database columns."""
    user = KnownUser()
    courses = tuple(f"course-{uuid5(NAMESPACE_URL, str(number))}" for number in range(COURSES))
    return replace(user, attributes={**user.attributes, "memberOf": (*user.attributes["memberOf"], *courses)})


@contextmanager
def running_site(folder: Path, *, path: str = "", cas: DjangoCas | None = None, **settings: str) -> Iterator[Site]:
    """Run a bridge and a CAS server until the end of the block.

    Args:
        folder: Their files.
        path: The path of the issuer, for a bridge below a path.
        cas: A CAS server to share.
        settings: Settings of the bridge, by the names of its environment variables.
    """
    with ExitStack() as stack:
        cas = cas or stack.enter_context(DjangoCas(folder, user=user_with_many_groups()))
        front = TlsProxy(folder, certificate=cas.files.certificate, key=cas.files.key, ca_file=cas.ca_file)
        issuer = f"{front.url}{path}"
        environment = {
            "PASSERELLE_ISSUER": issuer,
            "PASSERELLE_CAS_CA_FILE": str(cas.ca_file),
            "SSL_CERT_FILE": str(cas.ca_file),  # for back-channel logout requests over https
        }
        bridge = LiveBridge(folder, cas_url=cas.url, clients=[], settings=environment | settings)
        bridge.url = issuer  # the public URL behind the proxy
        cas.register(issuer)
        stack.enter_context(bridge)
        front.forward_to(bridge.port)
        stack.enter_context(front)
        yield Site(cas, bridge, issuer, stack)
    assert "Traceback" not in bridge.log, bridge.log
