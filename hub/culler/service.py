"""Stops labs whose time is over: a service of the hub, a process of its own with no right but to look and to stop.

It asks the hub every few seconds who runs what, decides by `hub/culler/policy.py`, and stops through the hub's API, as an
administrator would. Whatever goes wrong is told in the log and tried again: the next round starts from what is true
then.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote

from hub.config.hub_toml import read_declared
from hub.culler.policy import NEVER, Lifetimes, Limits, Stop, stop_of

LOOK_AT_MOST_EVERY = 60  # seconds
AT_ONCE = 10  # stops; the hub waits up to ten seconds for each
ANSWER_WITHIN = 60  # seconds

log = logging.getLogger("culling")


@dataclass(frozen=True)
class Due:
    """A lab whose time is over."""

    user: str
    server: str
    stop: Stop

    @property
    def path(self) -> str:
        """Where the hub's API stops it."""
        user = quote(self.user, safe="")
        return f"/users/{user}/servers/{quote(self.server, safe='')}" if self.server else f"/users/{user}/server"


def time_of(text: str) -> datetime:
    """A time as the hub's API writes it."""
    moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


class Reports:
    """Whether the labs have had the time to report: while the hub, this service or the machine was away, none could.

    What the hub knows of their use is then as old as the outage, and a lab that computes looks idle.
    """

    def __init__(self, report_every: int, look_every: int) -> None:
        self._heard_within = timedelta(seconds=2 * report_every)
        self._gap = timedelta(seconds=look_every) + self._heard_within
        self._since: datetime | None = None
        self._last: datetime | None = None

    def the_hub_answers(self, now: datetime) -> bool:
        """Note it; True if it has for so long without a break that every lab has been heard."""
        # The clock of the day, not the machine's uptime: a machine that slept reached nobody either.
        is_first = self._since is None or self._last is None or now - self._last > self._gap
        if is_first or self._since is None or now < self._since:
            self._since = now
        self._last = now
        return now - self._since >= self._heard_within

    def the_hub_is_away(self) -> None:
        """Begin anew."""
        self._since = None


def find_due(users: list[dict[str, Any]], lifetimes: Lifetimes, now: datetime, *, all_heard: bool = True) -> list[Due]:
    """The labs whose time is over, of users as the hub's API describes them; by age alone unless all were heard."""
    due = []
    for user in users:
        limits = lifetimes.of(user.get("groups", ()))
        if not all_heard:
            limits = replace(limits, idle_timeout=NEVER)
        for name, server in user.get("servers", {}).items():
            if server.get("pending") or not server.get("ready") or not server.get("started"):
                continue
            active = server.get("last_activity")
            stop = stop_of(time_of(server["started"]), time_of(active) if active else None, limits)
            if stop is not None and stop.at <= now:
                due.append(Due(user["name"], name, stop))
    return due


class Hub:
    """The hub's API, as this service may use it."""

    def __init__(self, url: str, token: str) -> None:
        self._url = url.rstrip("/")
        self._token = token

    def running(self) -> Iterator[dict[str, Any]]:
        """Everybody with a lab that is ready."""
        page: str | None = f"{self._url}/users?state=ready"
        while page:
            answer = self._ask(page, accept="application/jupyterhub-pagination+json")
            yield from answer["items"]
            following = answer["_pagination"]["next"]
            page = following["url"] if following else None

    def stop(self, due: Due) -> None:
        """Stop one lab; another's failure must not keep the rest running."""
        try:
            self._ask(self._url + due.path, method="DELETE")
        except (OSError, ValueError) as error:
            log.warning("%s/%s could not be stopped, the next round tries again: %s", due.user, due.server, error)
        else:
            why = "nobody used it" if due.stop.why == "idle" else "it reached its maximum age"
            log.info("stopped the lab %s/%s: %s (due at %s)", due.user, due.server, why, due.stop.at.isoformat())

    def _ask(self, url: str, *, method: str = "GET", accept: str = "application/json") -> Any:
        headers = {"Authorization": f"token {self._token}", "Accept": accept}
        request = urllib.request.Request(url, method=method, headers=headers)  # noqa: S310  # the hub's own address
        with urllib.request.urlopen(request, timeout=ANSWER_WITHIN) as response:  # noqa: S310
            body = response.read()
        return json.loads(body) if body else None


def watch(hub: Hub, lifetimes: Lifetimes) -> None:
    """Look and stop, for ever."""
    every = max(1, min(LOOK_AT_MOST_EVERY, lifetimes.shortest // 6))
    reports = Reports(lifetimes.report_every, every)
    with ThreadPoolExecutor(AT_ONCE) as pool:
        while True:
            look(hub, lifetimes, reports, pool)
            time.sleep(every)


def look(hub: Hub, lifetimes: Lifetimes, reports: Reports, pool: ThreadPoolExecutor) -> None:
    """One round."""
    try:
        users = list(hub.running())
        now = datetime.now(UTC)
        due = find_due(users, lifetimes, now, all_heard=reports.the_hub_answers(now))
    except (OSError, ValueError, KeyError) as error:
        log.warning("the hub did not say who runs what, the next round asks again: %s", error)
        reports.the_hub_is_away()
    else:
        list(pool.map(hub.stop, due))


def main() -> None:
    """Limits by argument, so that `ps` tells what is in force; the token by the environment."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--idle-timeout", type=int, required=True)
    parser.add_argument("--max-age", type=int, required=True)
    parser.add_argument("--declared", type=Path, default=None)
    given = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="[%(levelname).1s %(asctime)s %(name)s] %(message)s")
    hub = Hub(os.environ["JUPYTERHUB_API_URL"], os.environ["JUPYTERHUB_API_TOKEN"])
    lifetimes = Lifetimes(Limits(given.idle_timeout, given.max_age), read_declared(given.declared))
    with suppress(KeyboardInterrupt):  # so the hub ends its services
        watch(hub, lifetimes)


if __name__ == "__main__":
    main()
