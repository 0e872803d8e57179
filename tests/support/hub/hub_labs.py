"""Labs for `HubProcess`: processes that answer and do nothing, whose own token the test may use in their place."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import requests

from tests.support.hub.hub_process import HubProcess

STARTS_WITHIN_SECONDS = 30
LAB = """\
import http.server, os, pathlib, urllib.parse
pathlib.Path(__file__).with_name(f"{os.getpid()}.lab").touch()
pathlib.Path(os.environ["LAB_TOKEN_FILE"]).write_text(os.environ["JUPYTERHUB_API_TOKEN"])
class Answers(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()
place = urllib.parse.urlsplit(os.environ["JUPYTERHUB_SERVICE_URL"])
http.server.ThreadingHTTPServer((place.hostname, place.port), Answers).serve_forever()
"""


def with_labs(hub: HubProcess) -> Path:
    """Let labs be such processes; the file in which the last one's token will be."""
    token_file = hub.folder / "lab-token"
    program = hub.folder / "lab.py"
    program.write_text(LAB, encoding="utf-8")
    hub.configured(
        "20-labs.py",
        f"import sys\nc.Spawner.cmd = [sys.executable, {str(program)!r}]\n"
        f"c.Spawner.environment.update({{'LAB_TOKEN_FILE': {str(token_file)!r}}})\n",
    )
    return token_file


def starts_lab(hub: HubProcess, name: str, token: str) -> None:
    """By the hub's API, and wait for it."""
    answer = hub.asks("POST", f"/users/{name}/server", token)
    assert answer.status_code in (201, 202), f"{answer.text}\n{hub.log[-3000:]}"
    if answer.status_code == 202:
        url = f"{hub.url}/hub/api/users/{name}/server/progress"
        done = requests.get(url, headers={"Authorization": f"token {token}"}, timeout=STARTS_WITHIN_SECONDS)
        assert '"ready": true' in done.text, f"{done.text}\n{hub.log[-3000:]}"


def reports_use(hub: HubProcess, name: str, token: str) -> requests.Response:
    """What a lab tells the hub every few minutes: that it is used."""
    now = datetime.now(UTC).isoformat()
    return requests.post(
        f"{hub.url}/hub/api/users/{name}/activity",
        json={"servers": {"": {"last_activity": now}}, "last_activity": now},
        headers={"Authorization": f"token {token}"},
        timeout=30,
    )
