"""Service of the hub that culls labs: a separate process that may only list users and stop servers.

Every few seconds it lists the running labs, applies `hub/culler/policy.py` and stops labs through the hub's API. A
failure is logged and retried in the next round.
"""

import argparse
import logging
import os
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote

import requests

from hub.config.hub_toml import read_hub_toml
from hub.culler.policy import Lifetimes, Limits, Stop, next_stop

MAX_INTERVAL = 60  # seconds between two rounds
PARALLEL_STOPS = 10  # the hub waits up to ten seconds for each
TIMEOUT = 60  # seconds

log = logging.getLogger("culler")


@dataclass(frozen=True)
class OverdueLab:
    """A lab that has reached a limit."""

    user: str
    server: str
    stop: Stop

    @property
    def path(self) -> str:
        """Return the path in the hub's API that stops the lab."""
        user = quote(self.user, safe="")
        return f"/users/{user}/servers/{quote(self.server, safe='')}" if self.server else f"/users/{user}/server"


def parse_time(text: str) -> datetime:
    """Parse a time from the hub's API; a time without a zone is UTC."""
    moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


class ActivityReports:
    """Tracks whether all labs have had time to report activity.

    After an outage of the hub, this service or the machine, the last reports are as old as the outage, and a lab that
    computes would look idle.
    """

    def __init__(self, report_interval: int, poll_interval: int) -> None:
        self._complete_after = timedelta(seconds=2 * report_interval)
        self._max_gap = timedelta(seconds=poll_interval) + self._complete_after
        self._responses: tuple[datetime, datetime] | None = None  # first and last one without a gap

    def record_response(self, now: datetime) -> bool:
        """Record a response of the hub and return whether reports are complete."""
        # Wall-clock time, because a suspended machine received no reports either.
        first, last = self._responses or (now, now)
        if not timedelta() <= now - last <= self._max_gap:
            first = now
        self._responses = first, now
        return now - first >= self._complete_after

    def record_outage(self) -> None:
        """Record an outage of the hub, after which all labs must report again."""
        self._responses = None


def find_overdue(
    users: list[dict[str, Any]], lifetimes: Lifetimes, now: datetime, *, reports_complete: bool = True
) -> list[OverdueLab]:
    """Return the labs of these users (models of the hub's API) that have reached a limit.

    Without complete reports, only the maximum age applies.
    """
    overdue = []
    for user in users:
        limits = lifetimes.limits_for(user.get("groups", ()))
        if not reports_complete:
            limits = replace(limits, idle_timeout=0)
        for name, server in user.get("servers", {}).items():
            if server.get("pending") or not server.get("ready") or not server.get("started"):
                continue
            active = server.get("last_activity")
            stop = next_stop(parse_time(server["started"]), parse_time(active) if active else None, limits)
            if stop is not None and stop.at <= now:
                overdue.append(OverdueLab(user["name"], name, stop))
    return overdue


class HubClient:
    """Client of the hub's API."""

    def __init__(self, url: str, token: str) -> None:
        self._url = url.rstrip("/")
        self._headers = {"Authorization": f"token {token}", "Accept": "application/jupyterhub-pagination+json"}

    def list_users(self) -> Iterator[dict[str, Any]]:
        """Yield the users with a running lab, from all pages."""
        page: dict[str, Any] | None = {"url": f"{self._url}/users?state=ready"}
        while page:
            body = self._request("GET", page["url"]).json()
            yield from body["items"]
            page = body["_pagination"]["next"]

    def stop(self, lab: OverdueLab) -> None:
        """Stop a lab; a failure is only logged, so that other labs still stop."""
        try:
            self._request("DELETE", self._url + lab.path)
        except (OSError, ValueError) as error:
            log.warning("cannot stop %s/%s, will retry: %s", lab.user, lab.server, error)
        else:
            reason = "idle" if lab.stop.why == "idle" else "maximum age"
            log.info("stopped lab %s/%s: %s (due at %s)", lab.user, lab.server, reason, lab.stop.at.isoformat())

    def _request(self, method: str, url: str) -> requests.Response:
        response = requests.request(method, url, headers=self._headers, timeout=TIMEOUT)
        response.raise_for_status()
        return response


def cull(hub: HubClient, lifetimes: Lifetimes, reports: ActivityReports, pool: ThreadPoolExecutor) -> None:
    """Stop all overdue labs once."""
    try:
        users = list(hub.list_users())
        now = datetime.now(UTC)
        overdue = find_overdue(users, lifetimes, now, reports_complete=reports.record_response(now))
    except (OSError, ValueError, KeyError) as error:
        log.warning("cannot list running labs, will retry: %s", error)
        reports.record_outage()
    else:
        list(pool.map(hub.stop, overdue))


def main() -> None:
    """Run the service with limits from arguments, which `ps` shows, and the token from the environment."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--idle-timeout", type=int, required=True)
    parser.add_argument("--max-age", type=int, required=True)
    parser.add_argument("--hub-toml", type=Path, default=None)
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="[%(levelname).1s %(asctime)s %(name)s] %(message)s")
    hub = HubClient(os.environ["JUPYTERHUB_API_URL"], os.environ["JUPYTERHUB_API_TOKEN"])
    lifetimes = Lifetimes(Limits(arguments.idle_timeout, arguments.max_age), read_hub_toml(arguments.hub_toml))
    interval = max(1, min(MAX_INTERVAL, lifetimes.shortest // 6))
    reports = ActivityReports(lifetimes.report_interval, interval)
    with suppress(KeyboardInterrupt), ThreadPoolExecutor(PARALLEL_STOPS) as pool:  # the hub stops services with SIGINT
        while True:
            cull(hub, lifetimes, reports, pool)
            time.sleep(interval)


if __name__ == "__main__":
    main()
