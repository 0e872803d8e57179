"""A load test of a class that signs in and starts labs: first one after another, then all at once.

    python -m tests.bench.classroom --hub https://jupyter.localhost:8443 --students 30

It is a separate program, because it resolves *.localhost itself: not every system resolves these names. It sends every
request of a browser through the hub, the bridge, CAS and Traefik, and stops each lab. It prints one line of JSON for
each round: the number of labs, the seconds until a lab was ready, and the load of the machine.
"""

from __future__ import annotations

import argparse
import json
import socket
import statistics
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any
from urllib.parse import urljoin, urlsplit

import psutil
import requests

from tests.support.bridge.html_forms import parse_forms

PATIENCE_SECONDS = 300
STEP_SECONDS = 60
POLL_SECONDS = 1.0


class StudentError(Exception):
    """A failure of one student's sign-in or lab."""


@dataclass(frozen=True)
class Timings:
    """Durations of a student's steps, in seconds."""

    signed_in: float
    ready: float
    """From the click on "sign in" to a lab that answers through Traefik, as the start-up page waits for it."""


class Student:
    """One user with a browser session."""

    def __init__(self, hub_url: str, name: str) -> None:
        self.name, self._hub = name, hub_url.rstrip("/")
        self._browser = requests.Session()
        self._browser.verify = False  # the certificate of the demo is self-signed
        self._browser.trust_env = False

    def start_lab(self) -> Timings:
        """Sign in and wait for the lab."""
        began = time.monotonic()
        page = self._get(f"{self._hub}/hub/oauth_login?next=%2Fhub%2Fhome")
        (form,) = [form for form in parse_forms(page.text) if "password" in form.fields]
        filled = form.fields | {"username": self.name, "password": f"{self.name}-demo"}
        filled.pop("warn", None)
        page = self._browser.post(
            urljoin(page.url, form.action), data=filled, headers={"Referer": page.url}, timeout=STEP_SECONDS
        )
        self._check(page)
        if not page.url.startswith(f"{self._hub}/hub/"):
            raise StudentError(f"{self.name} ended at {urlsplit(page.url).netloc}{urlsplit(page.url).path}")
        signed_in = time.monotonic() - began
        self._api("POST", "server")
        self._follow_start()
        page = self._get(f"{self._hub}/user/{self.name}/lab")
        if "jupyter-config-data" not in page.text:
            raise StudentError(f"{self.name} got no JupyterLab but {page.text[:200]!r}")
        return Timings(signed_in, time.monotonic() - began)

    def _follow_start(self) -> None:
        """Follow the progress stream, as the page does, until the lab is ready."""
        url = f"{self._hub}/hub/api/users/{self.name}/server/progress"
        with self._browser.get(url, stream=True, timeout=PATIENCE_SECONDS, headers=self._headers()) as events:
            self._check(events)
            for line in events.iter_lines():
                event = json.loads(line.removeprefix(b"data:")) if line.startswith(b"data:") else {}
                if event.get("failed"):
                    raise StudentError(f"{self.name}: {event.get('message')}")
                if event.get("ready"):
                    return
        raise StudentError(f"{self.name}: the progress stream ended before the lab was ready")

    def stop_lab(self) -> None:
        """Stop the lab and wait until it has stopped."""
        self._api("DELETE", "server")
        deadline = time.monotonic() + PATIENCE_SECONDS
        while self._server() is not None:
            if time.monotonic() > deadline:
                raise StudentError(f"{self.name}'s lab does not stop")
            time.sleep(POLL_SECONDS)
        self._browser.close()

    def _server(self) -> dict[str, Any] | None:
        server = self._api("GET", "")["servers"].get("")
        return dict(server) if server else None

    def _api(self, method: str, what: str) -> Any:
        answer = self._browser.request(
            method,
            f"{self._hub}/hub/api/users/{self.name}{f'/{what}' if what else ''}",
            headers=self._headers(),
            timeout=STEP_SECONDS,
        )
        self._check(answer)
        return answer.json() if answer.content else None

    def _headers(self) -> dict[str, str]:
        cookie = self._browser.cookies.get("_xsrf", path="/hub/")
        return {"X-XSRFToken": cookie or "", "Referer": f"{self._hub}/hub/home"}

    def _get(self, url: str) -> requests.Response:
        answer = self._browser.get(url, timeout=STEP_SECONDS)
        self._check(answer)
        return answer

    def _check(self, answer: requests.Response) -> None:
        if answer.status_code >= 400:
            raise StudentError(
                f"{self.name}: {answer.status_code} at {urlsplit(answer.url).path}: {answer.text[-300:]}"
            )


class Machine:
    """A meter of the machine during a round: peak and mean CPU use, and memory."""

    def __init__(self) -> None:
        self._busy: list[float] = []
        self._least_free = psutil.virtual_memory().available
        self._at_first = self._least_free
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> Machine:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _watch(self) -> None:
        psutil.cpu_percent()
        while not self._over.wait(1):
            self._busy.append(psutil.cpu_percent())
            self._least_free = min(self._least_free, psutil.virtual_memory().available)

    @property
    def report(self) -> dict[str, float]:
        """Return the CPU use in percent of all processors, and the peak memory in MiB."""
        return {
            "processors_busy_percent": round(statistics.mean(self._busy or [0])),
            "memory_taken_mib": round((self._at_first - self._least_free) / 2**20),
        }


def run_sequentially(students: list[Student]) -> list[Timings]:
    """Stop each student's lab before the next one starts."""
    timings = []
    for student in students:
        timings.append(student.start_lab())
        student.stop_lab()
    return timings


def run_concurrently(students: list[Student]) -> list[Timings]:
    """Start all labs before the first one stops."""
    with ThreadPoolExecutor(len(students)) as pool:
        timings = list(pool.map(Student.start_lab, students))
        list(pool.map(Student.stop_lab, students))
    return timings


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.classroom")
    parser.add_argument("--hub", required=True, help="public URL of the hub")
    parser.add_argument("--students", type=int, default=30)
    wanted = parser.parse_args()
    if not (urlsplit(wanted.hub).hostname or "").endswith(".localhost"):
        print("The load test runs against this machine only: pass the URL of a hub under *.localhost.", file=sys.stderr)
        return 2
    resolve_localhost()
    requests.packages.urllib3.disable_warnings()  # type: ignore[attr-defined]  # self-signed certificate
    rounds: dict[str, Callable[[list[Student]], list[Timings]]] = {
        "sequential": run_sequentially,
        "concurrent": run_concurrently,
    }
    for name, run in rounds.items():
        students = [Student(wanted.hub, f"student{number:02}") for number in range(1, wanted.students + 1)]
        with Machine() as machine:
            try:
                timings = run(students)
            except StudentError as error:
                print(f"{name}: {error}", file=sys.stderr)
                return 1
        report = {"round": name, "students": len(timings), **figures(timings), **machine.report}
        print(json.dumps(report), flush=True)
    return 0


def figures(timings: list[Timings]) -> dict[str, float]:
    """Return the quantiles of durations in seconds."""
    return {
        f"{what}_{which}": round(of([getattr(way, what) for way in timings]), 1)
        for what in ("signed_in", "ready")
        for which, of in (("median", statistics.median), ("worst", max))
    }


def resolve_localhost() -> None:
    """Resolve names under localhost to loopback (RFC 6761 §6.3), independent of the system's resolver."""
    usual = socket.getaddrinfo

    def resolve(host: Any, *rest: Any, **more: Any) -> Any:
        return usual("127.0.0.1" if str(host).endswith(".localhost") else host, *rest, **more)

    socket.getaddrinfo = resolve


if __name__ == "__main__":
    sys.exit(main())
