"""Labs for `HubProcess`: minimal HTTP servers that write their token to a file for the test."""

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
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()
place = urllib.parse.urlsplit(os.environ["JUPYTERHUB_SERVICE_URL"])
http.server.ThreadingHTTPServer((place.hostname, place.port), Handler).serve_forever()
"""


def configure_labs(hub: HubProcess) -> Path:
    """Configure such labs, and return the file that will contain the token of the last one."""
    token_file = hub.folder / "lab-token"
    program = hub.folder / "lab.py"
    program.write_text(LAB, encoding="utf-8")
    hub.add_config(
        "20-labs.py",
        f"import sys\nc.Spawner.cmd = [sys.executable, {str(program)!r}]\n"
        f"c.Spawner.environment.update({{'LAB_TOKEN_FILE': {str(token_file)!r}}})\n",
    )
    return token_file


def start_lab(hub: HubProcess, name: str, token: str) -> None:
    """Start a lab through the hub's API and wait for it."""
    answer = hub.request("POST", f"/users/{name}/server", token)
    assert answer.status_code in (201, 202), f"{answer.text}\n{hub.log[-3000:]}"
    if answer.status_code == 202:
        url = f"{hub.url}/hub/api/users/{name}/server/progress"
        done = requests.get(url, headers={"Authorization": f"token {token}"}, timeout=STARTS_WITHIN_SECONDS)
        assert '"ready": true' in done.text, f"{done.text}\n{hub.log[-3000:]}"


def report_activity(hub: HubProcess, name: str, token: str) -> requests.Response:
    """Send the activity report of a lab."""
    now = datetime.now(UTC).isoformat()
    return requests.post(
        f"{hub.url}/hub/api/users/{name}/activity",
        json={"servers": {"": {"last_activity": now}}, "last_activity": now},
        headers={"Authorization": f"token {token}"},
        timeout=30,
    )
