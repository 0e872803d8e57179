"""Reload of a changed certificate without a restart; an invalid one is rejected and the old one stays.

It polls your own certificate and key every few seconds. After a change and one poll without another change (the two
files cannot be copied at once), it validates them as at every start (`serving.py`). It then writes a valid pair and
rewrites the unchanged routes that Traefik watches: Traefik reloads the certificate and keeps its connections. Once a
day it validates without a change, because certificates expire.

It polls because not every kind of mount notifies. It reads the environment of `prepare.py`, and ALIVE_FILE, which it
touches at every poll.
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

sys.path.insert(0, str(Path(__file__).resolve().parent))  # this is a script: import its siblings

from certificate import EdgeError, parse_chain, read_file
from files import write
from serving import Site, make_certificate, own_files, read_site

POLL_SECONDS = 2.0
ROUTES_NAME = "routes.yml"


@dataclass
class Watch:
    """The state of polling: the last files seen and the last files validated."""

    site: Site
    dynamic_dir: Path
    seen: str | None = None
    validated: tuple[str, date] | None = None

    def poll(self, now: datetime) -> str | None:
        """Poll once; return a line for the log, or None."""
        before, self.seen = self.seen, fingerprint(self.site)
        if self.seen != before or self.validated == (self.seen, now.date()):
            return None
        first = self.validated is None
        self.validated = (self.seen, now.date())
        try:
            return self._serve(now, first=first)
        except EdgeError as fault:
            return f"certificate REJECTED, {self._served_until()}: {fault}"

    def _serve(self, now: datetime, *, first: bool) -> str | None:
        if own_files(self.site) is None and not self._serves_self_signed():
            # It may be in the middle of a replacement, and browsers would warn of a self-signed one.
            return f"your own certificate is missing, {self._served_until()}: 'docker compose up' creates another"
        before = self._served()
        line = make_certificate(self.site, now=now)
        if self._served() == before:
            # At the first poll `prepare` has just logged the same.
            return None if first else f"certificate: {line}"
        routes = self.dynamic_dir / ROUTES_NAME
        write(routes, read_file(routes))
        return f"certificate replaced: {line}"

    def _served(self) -> bytes:
        return read_file(self.site.served) if self.site.served.exists() else b""

    def _serves_self_signed(self) -> bool:
        leaf = parse_chain(self._served(), self.site.served)[0]
        return leaf.issuer == leaf.subject

    def _served_until(self) -> str:
        try:
            leaf = parse_chain(self._served(), self.site.served)[0]
        except EdgeError:
            return "and none is served"
        return f"the current one stays (valid until {leaf.not_valid_after_utc:%Y-%m-%d})"


def fingerprint(site: Site) -> str:
    """Return a digest of the two files, which may be missing or unreadable."""
    digest = hashlib.sha256()
    for path in (site.own_cert, site.own_key):
        try:
            content = b"there:" + path.read_bytes() if path else b"unset"
        except OSError as error:
            content = f"not readable: {error.errno}".encode()
        digest.update(hashlib.sha256(content).digest())
    return digest.hexdigest()


def main(environ: Mapping[str, str] = os.environ) -> int:
    """Poll until SIGTERM or SIGINT."""
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
            line = watch.poll(datetime.now(UTC))
        except OSError as error:
            watch.validated = None  # retry: the certificate may be valid
            line = f"certificate not replaced, cannot write {error.filename} ({error.strerror}); retrying"
        if line:
            print(line, flush=True)
        alive.touch()
        end.wait(POLL_SECONDS)
    return 0


if __name__ == "__main__":
    sys.exit(main())
