"""A class that signs in and starts its labs: one after the other, and then all at once.

    python -m tests.bench.classroom --hub https://jupyter.localhost:8443 --students 30

A program of its own, because it looks up names under *.localhost by itself: not every system knows that they are this
machine. It goes every step of a browser over the hub, the bridge, CAS and Traefik, and ends each lab. Prints one line
of JSON for each round: how many, how long until a lab was ready, what the machine did meanwhile.
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


class LessonError(Exception):
    """What went wrong for one student."""


@dataclass(frozen=True)
class Way:
    """How long a student's steps took, in seconds."""

    signed_in: float
    ready: float
    """From the click on "sign in" to a lab that answers through Traefik, as the start-up page waits for it."""


class Student:
    """One person with a browser of their own."""

    def __init__(self, hub_url: str, name: str) -> None:
        self.name, self._hub = name, hub_url.rstrip("/")
        self._browser = requests.Session()
        self._browser.verify = False  # the certificate of the demo is nobody's
        self._browser.trust_env = False

    def begins(self) -> Way:
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
            raise LessonError(f"{self.name} ended at {urlsplit(page.url).netloc}{urlsplit(page.url).path}")
        signed_in = time.monotonic() - began
        self._api("POST", "server")
        self._watch_the_start()
        page = self._get(f"{self._hub}/user/{self.name}/lab")
        if "jupyter-config-data" not in page.text:
            raise LessonError(f"{self.name} got no JupyterLab but {page.text[:200]!r}")
        return Way(signed_in, time.monotonic() - began)

    def _watch_the_start(self) -> None:
        """As the page does: by one long answer, until it says that the lab is ready."""
        url = f"{self._hub}/hub/api/users/{self.name}/server/progress"
        with self._browser.get(url, stream=True, timeout=PATIENCE_SECONDS, headers=self._headers()) as events:
            self._check(events)
            for line in events.iter_lines():
                told = json.loads(line.removeprefix(b"data:")) if line.startswith(b"data:") else {}
                if told.get("failed"):
                    raise LessonError(f"{self.name}: {told.get('message')}")
                if told.get("ready"):
                    return
        raise LessonError(f"{self.name} was told no end of the start")

    def ends(self) -> None:
        """Stop the lab, and wait until it is gone."""
        self._api("DELETE", "server")
        deadline = time.monotonic() + PATIENCE_SECONDS
        while self._server() is not None:
            if time.monotonic() > deadline:
                raise LessonError(f"{self.name}'s lab does not stop")
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
            raise LessonError(f"{self.name}: {answer.status_code} at {urlsplit(answer.url).path}: {answer.text[-300:]}")


class Machine:
    """What it does while a round is on: the busiest and the mean second of its processors, and its memory."""

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
        """Percent of all processors, and MiB taken at the most."""
        return {
            "processors_busy_percent": round(statistics.mean(self._busy or [0])),
            "memory_taken_mib": round((self._at_first - self._least_free) / 2**20),
        }


def one_after_the_other(students: list[Student]) -> list[Way]:
    """Each ends before the next begins."""
    ways = []
    for student in students:
        ways.append(student.begins())
        student.ends()
    return ways


def all_at_once(students: list[Student]) -> list[Way]:
    """All have their lab before the first ends."""
    with ThreadPoolExecutor(len(students)) as pool:
        ways = list(pool.map(Student.begins, students))
        list(pool.map(Student.ends, students))
    return ways


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.classroom")
    parser.add_argument("--hub", required=True, help="its public address")
    parser.add_argument("--students", type=int, default=30)
    wanted = parser.parse_args()
    if not (urlsplit(wanted.hub).hostname or "").endswith(".localhost"):
        print("Load is for a deployment on this machine alone: name a hub under *.localhost.", file=sys.stderr)
        return 2
    look_up_localhost()
    requests.packages.urllib3.disable_warnings()  # type: ignore[attr-defined]  # of the certificate, see above
    rounds: dict[str, Callable[[list[Student]], list[Way]]] = {
        "one after the other": one_after_the_other,
        "all at once": all_at_once,
    }
    for name, lesson in rounds.items():
        students = [Student(wanted.hub, f"student{number:02}") for number in range(1, wanted.students + 1)]
        with Machine() as machine:
            try:
                ways = lesson(students)
            except LessonError as error:
                print(f"{name}: {error}", file=sys.stderr)
                return 1
        report = {"round": name, "students": len(ways), **figures(ways), **machine.report}
        print(json.dumps(report), flush=True)
    return 0


def figures(ways: list[Way]) -> dict[str, float]:
    """Seconds."""
    return {
        f"{what}_{which}": round(of([getattr(way, what) for way in ways]), 1)
        for what in ("signed_in", "ready")
        for which, of in (("median", statistics.median), ("worst", max))
    }


def look_up_localhost() -> None:
    """Names under localhost are this machine (RFC 6761 §6.3), whatever the system's resolver thinks of them."""
    usual = socket.getaddrinfo

    def resolve(host: Any, *rest: Any, **more: Any) -> Any:
        return usual("127.0.0.1" if str(host).endswith(".localhost") else host, *rest, **more)

    socket.getaddrinfo = resolve


if __name__ == "__main__":
    sys.exit(main())
