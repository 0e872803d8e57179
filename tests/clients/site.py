"""What all applications of this layer share: a live bridge over https, a real CAS behind it, and people with browsers.

The bridge is the installed `passerelle serve` behind a real Traefik that ends TLS; nobody trusts its certificate who
was not given `ca_file`. Applications are registered as an administrator does it, by `passerelle clients add`.
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
    """What `passerelle clients add` prints."""

    client_id: str
    client_secret: str | None = None
    """None for a public client."""
    configuration: Mapping[str, str] = field(default_factory=dict)
    """Of a recipe: what to paste, by where it goes."""


class Site:
    """All of it, while it runs."""

    def __init__(self, cas: DjangoCas, bridge: LiveBridge, issuer: str, people: ExitStack) -> None:
        self.cas, self.bridge, self.issuer = cas, bridge, issuer
        self.ca_file = cas.ca_file
        self._people = people
        self._changed_at = float("-inf")

    @property
    def trust(self) -> dict[str, str]:
        """How programs on this machine are told of the private authority: what OpenSSL, requests and Node.js read."""
        names = ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "NODE_EXTRA_CA_CERTS")
        return dict.fromkeys(names, str(self.ca_file))

    def person(self) -> Person:
        """A browser of its own, known to nobody, before a bridge that knows every client."""
        self.waits_until_known()
        person = Person(self.cas)
        self._people.callback(person.close)
        return person

    def adds_client(self, name: str, *options: str) -> Credentials:
        """`passerelle clients add NAME OPTIONS --json`, in this process: starting the program takes seconds."""
        result = CliRunner().invoke(main, ["clients", "add", name, *options, "--json"], env=self.bridge.environment)
        assert result.exit_code == 0, result.output
        self._changed_at = time.monotonic()
        added = json.loads(result.stdout)
        blocks = {block["into"]: block["text"] for block in added.get("configuration", ())}
        return Credentials(added["client_id"], added.get("client_secret"), blocks)

    def waits_until_known(self) -> None:
        """Until the running bridge follows what was added last; most of that passes while an application starts."""
        time.sleep(max(0.0, self._changed_at + RELOAD_SECONDS + 0.2 - time.monotonic()))


def somebody_with_many_groups() -> KnownUser:
    """As people at a university are: what is kept of them has to fit into cookies, headers and columns."""
    usual = KnownUser()
    courses = tuple(f"course-{uuid5(NAMESPACE_URL, str(number))}" for number in range(COURSES))
    return replace(usual, attributes={**usual.attributes, "memberOf": (*usual.attributes["memberOf"], *courses)})


@contextmanager
def site_in(folder: Path, *, path: str = "", beside: DjangoCas | None = None, **settings: str) -> Iterator[Site]:
    """It runs until the end of the block; settings by the names of the environment.

    :param path: of the issuer, where the bridge has no host of its own
    :param beside: the CAS server of another one, to be shared
    """
    with ExitStack() as stack:
        cas = beside or stack.enter_context(DjangoCas(folder, user=somebody_with_many_groups()))
        front = TlsProxy(folder, certificate=cas.files.certificate, key=cas.files.key, ca_file=cas.ca_file)
        issuer = f"{front.url}{path}"
        mine = {
            "PASSERELLE_ISSUER": issuer,
            "PASSERELLE_CAS_CA_FILE": str(cas.ca_file),
            "SSL_CERT_FILE": str(cas.ca_file),  # of the applications that are told of logouts by https
        }
        bridge = LiveBridge(folder, cas_url=cas.url, clients=[], settings=mine | settings)
        bridge.url = issuer  # what it says that it serves
        cas.register(issuer)
        stack.enter_context(bridge)
        front.forward_to(bridge.port)
        stack.enter_context(front)
        yield Site(cas, bridge, issuer, stack)
    assert "Traceback" not in bridge.log, bridge.log
