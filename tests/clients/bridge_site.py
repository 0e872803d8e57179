"""A bridge as an institution runs it, for the clients of this layer: https by a private authority, a real CAS."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests

from bridge.oauth.clients import REREAD_SECONDS
from bridge.store import Session, SqlStore
from tests.clients.visitor import Visitor
from tests.support.django_cas import DjangoCas
from tests.support.live_bridge import PASSERELLE, LiveBridge
from tests.support.tls_front import TlsFront

SECONDS_MAX = 20


@dataclass
class BridgeSite:
    """While it runs."""

    issuer: str
    cas: DjangoCas
    bridge: LiveBridge
    store: SqlStore

    @property
    def ca_file(self) -> Path:
        """The authority behind every certificate here."""
        return self.cas.ca_file

    def visitor(self) -> Visitor:
        return Visitor(str(self.ca_file), self.cas.user)

    def adds(self, clients: Mapping[str, Sequence[str]]) -> dict[str, dict[str, str]]:
        """Register applications by the command, each with its options, and wait until the bridge has heard of them."""
        added = {name: self._runs("clients", "add", name, *options) for name, options in clients.items()}
        time.sleep(REREAD_SECONDS + 0.1)
        return added

    def sessions(self) -> list[Session]:
        """Who is signed in at the bridge, the newest session first."""
        return list(self.store.sessions.all(now=int(time.time())))

    def ends(self, sid: str) -> None:
        """One session, as an administrator does it."""
        done = subprocess.run([PASSERELLE, "sessions", "end", sid], env=self.bridge.environment, timeout=60, check=True)
        assert done.returncode == 0

    def is_good(self, client: dict[str, str], token: str) -> bool:
        """Whether a token can still be used, asked without using it up."""
        answer = requests.post(
            f"{self.issuer}/introspect",
            data={"token": token},
            auth=(client["client_id"], client["client_secret"]),
            verify=str(self.ca_file),
            timeout=SECONDS_MAX,
        )
        assert answer.status_code == 200, answer.text
        return bool(answer.json()["active"])

    def _runs(self, *words: str) -> Any:
        done = subprocess.run(
            [PASSERELLE, *words, "--json"],
            env=self.bridge.environment,
            capture_output=True,
            text=True,
            timeout=SECONDS_MAX,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)


@contextmanager
def site_in(folder: Path) -> Iterator[BridgeSite]:
    with DjangoCas(folder) as cas:
        bridge = LiveBridge(
            folder,
            cas_url=cas.url,
            clients=[],
            settings={
                "PASSERELLE_CAS_CA_FILE": str(cas.ca_file),
                "PASSERELLE_PROXY_HOPS": "1",
                # Applications that are told of logouts have certificates of the same authority.
                "SSL_CERT_FILE": str(cas.ca_file),
            },
        )
        front = TlsFront(folder, certificate=cas.files.certificate, key=cas.files.key, ca_file=cas.ca_file)
        front.leads_to(bridge.port)
        bridge.environment["PASSERELLE_ISSUER"] = front.url
        cas.register(front.url)
        with bridge, front, closing(SqlStore(bridge.environment["PASSERELLE_DATABASE_URL"])) as store:
            yield BridgeSite(front.url, cas, bridge, store)
    assert "Traceback" not in bridge.log, bridge.log
