"""Four ways to sign out of the demo, and the seconds until each thing of the sign-in has ended."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

from tests.support.bridge.live_bridge import PASSERELLE
from tests.support.hub.local_browser import KernelChannel, LocalBrowser

WITHIN = 60
"""Seconds within which everything of a sign-in must have ended."""


@dataclass
class SignIn:
    """A sign-in with an open notebook, and a second browser of the same session at the bridge."""

    sid: str
    first: LocalBrowser
    second: LocalBrowser
    channel: KernelChannel
    ended: dict[str, float] = field(default_factory=dict)

    def close(self) -> None:
        """Close both browsers and the websocket."""
        self.channel.close()
        self.first.close()
        self.second.close()


@dataclass
class Site:
    """A running demo, its database of the bridge, and the environment of the bridge."""

    hub_url: str
    database: Path
    environment: dict[str, str]

    def url(self, host: str) -> str:
        """Return the URL of `auth` or `cas`."""
        return self.hub_url.replace("jupyter", host, 1)

    def sign_in(self, user: str, *, kernel: str) -> SignIn:
        """Sign in with a new browser, open the lab and a kernel's websocket, and add a second browser."""
        before = self._rows("SELECT sid FROM sessions")
        first = LocalBrowser(self.hub_url)
        first.sign_in(user, f"{user}-demo")
        (sid,) = self._rows("SELECT sid FROM sessions") - before
        second = LocalBrowser(self.hub_url)
        for cookie in first.cookies:
            if cookie.domain.startswith("auth."):
                second.cookies.set_cookie(cookie)
        second.sign_in(user, "not asked for")
        first.open_lab(user)
        return SignIn(sid, first, second, first.open_channel(kernel))

    def holds_refresh_token(self, sid: str) -> bool:
        """Return whether a grant of the session is valid; its refresh token is valid as long."""
        return bool(self._rows("SELECT sid FROM grants WHERE revoked_at IS NULL") & {sid})

    def sign_out_at_cas(self, one: SignIn) -> None:
        """Open CAS's logout page."""
        assert one.first.get(f"{self.url('cas')}/cas/logout").ok

    def sign_out_at_bridge(self, one: SignIn) -> None:
        """Open the bridge's logout page and confirm."""
        one.first.submit(one.first.get(f"{self.url('auth')}/logout"))

    def sign_out_at_hub(self, one: SignIn) -> None:
        """Open the hub's logout page and confirm at the bridge."""
        one.first.submit(one.first.get(f"{self.hub_url}/hub/logout"))

    def end_by_command(self, one: SignIn) -> None:
        """Run `passerelle sessions end`."""
        subprocess.run([PASSERELLE, "sessions", "end", one.sid], env=os.environ | self.environment, check=True)

    def ways(self) -> dict[str, Callable[[SignIn], None]]:
        """Return the four ways."""
        return {
            "cas": self.sign_out_at_cas,
            "bridge": self.sign_out_at_bridge,
            "hub": self.sign_out_at_hub,
            "command": self.end_by_command,
        }

    def wait_until_ended(self, sign_ins: dict[str, SignIn]) -> None:
        """Sign out in each way at once, and record when each thing has ended."""
        began = time.monotonic()
        for way, one in sign_ins.items():
            self.ways()[way](one)
        while time.monotonic() - began < WITHIN and not all(len(one.ended) == 5 for one in sign_ins.values()):
            for one in sign_ins.values():
                works = {
                    "hub page": one.first.is_signed_in,
                    "second browser": one.second.is_signed_in,
                    "notebook": one.first.reaches_lab,
                    "kernel websocket": one.channel.is_open,
                    "refresh token": lambda sid=one.sid: self.holds_refresh_token(sid),
                }
                for name, check in works.items():
                    if name not in one.ended and not check():
                        one.ended[name] = time.monotonic() - began
            time.sleep(0.5)

    def _rows(self, question: str) -> set[str]:
        with closing(sqlite3.connect(self.database)) as database:
            return {str(row[0]) for row in database.execute(question)}
