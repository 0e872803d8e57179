"""Hands a new certificate to Traefik while everything runs, and refuses a broken one while the old goes on.

Every few seconds it looks at your own certificate and key. When they have changed, and then have been still for one
look (they are two files, and nobody copies both at once), they are checked as at every start (`serving.py`). A sound
pair is put in place and Traefik is told by rewriting the routes it watches, as they are: it takes a new certificate
without closing a connection. Once a day it looks without a change, for what time does to certificates.

It looks instead of being told, because not every kind of mount tells. Reads what `prepare.py` reads, and ALIVE_FILE,
which is touched at every look.
"""

import hashlib
import os
import signal
import sys
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))  # a script, not a package: its siblings are beside it

from certificate import EdgeError, parse_chain, read_file
from files import write
from serving import Site, make_certificate, own_files, read_site

LOOK_EVERY = 2.0  # seconds
ROUTES_NAME = "routes.yml"


@dataclass
class Watch:
    """What was seen and what was judged."""

    site: Site
    dynamic_dir: Path
    seen: str | None = None
    judged: tuple[str, date] | None = None

    def look(self, now: datetime) -> str | None:
        """Look once; return the line for the log if there is something to say."""
        before, self.seen = self.seen, fingerprint(self.site)
        if self.seen != before or self.judged == (self.seen, now.date()):
            return None
        first = self.judged is None
        self.judged = (self.seen, now.date())
        try:
            return self._serve(now, first=first)
        except EdgeError as fault:
            return f"certificate REFUSED, {self._served_until()}: {fault}"

    def _serve(self, now: datetime, *, first: bool) -> str | None:
        if own_files(self.site) is None and not self._serves_self_signed():
            # Perhaps it is just being replaced; what browsers would warn of must not take its place.
            return f"your own certificate is gone, {self._served_until()}: the next 'docker compose up' makes another"
        before = self._served()
        said = make_certificate(self.site, now=now)
        if self._served() == before:
            # At the first look `prepare` has just said the same.
            return None if first else f"certificate: {said}"
        routes = self.dynamic_dir / ROUTES_NAME
        write(routes, read_file(routes))
        return f"certificate replaced: {said}"

    def _served(self) -> bytes:
        return read_file(self.site.served) if self.site.served.exists() else b""

    def _serves_self_signed(self) -> bool:
        leaf = parse_chain(self._served(), self.site.served)[0]
        return leaf.issuer == leaf.subject

    def _served_until(self) -> str:
        try:
            leaf = parse_chain(self._served(), self.site.served)[0]
        except EdgeError:
            return "and none is served yet"
        return f"the one in use stays (valid until {leaf.not_valid_after_utc:%Y-%m-%d})"


def fingerprint(site: Site) -> str:
    """What the two files hold, absent and unreadable included."""
    digest = hashlib.sha256()
    for path in (site.own_cert, site.own_key):
        try:
            content = b"there:" + path.read_bytes() if path else b"unset"
        except OSError as error:
            content = f"not readable: {error.errno}".encode()
        digest.update(hashlib.sha256(content).digest())
    return digest.hexdigest()


def main(environ: Mapping[str, str] = os.environ) -> int:
    """Look until told to end."""
    end = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: end.set())
    try:
        watch = Watch(read_site(environ), Path(environ["TRAEFIK_DYNAMIC_DIR"]))
    except EdgeError as fault:
        print(f"certificates: {fault}", file=sys.stderr)
        return 1
    alive = Path(environ["ALIVE_FILE"])
    while not end.is_set():
        try:
            said = watch.look(datetime.now(UTC))
        except OSError as error:
            watch.judged = None  # a full disk is not the certificate's fault: try again
            said = f"certificate not replaced, cannot write {error.filename} ({error.strerror}); trying again"
        if said:
            print(said, flush=True)
        alive.touch()
        end.wait(LOOK_EVERY)
    return 0


if __name__ == "__main__":
    sys.exit(main())
