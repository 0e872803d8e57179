"""Debian's Apache with mod_auth_openidc, in front of an application that returns its request headers."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import MappingProxyType
from typing import Self

import requests

from tests.clients.site import Credentials, Site
from tests.machine.status import APACHE, APACHE_MODULES
from tests.support.bridge.certificate_authority import ServerFiles
from tests.support.bridge.live_bridge import free_port

CONFIGURATION = Path(__file__).with_name("apache") / "apache2.conf"
START_SECONDS_MAX = 20
STARTED = "resuming normal operations"


class HeaderEcho(BaseHTTPRequestHandler):
    """The application behind Apache: it returns the headers of each request."""

    def do_GET(self) -> None:
        body = json.dumps({"path": self.path, "headers": dict(self.headers)}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Keep the output of the tests clean."""


class Apache:
    """Serves between __enter__ and __exit__. Its unprivileged workers need access to the folder."""

    def __init__(self, folder: Path, *, files: ServerFiles, ca_file: Path) -> None:
        self.folder, self._files, self.ca_file = folder, files, ca_file
        self.port = free_port()
        self.url = f"https://localhost:{self.port}"
        self.callback = f"{self.url}/oidc-callback"

    def configure_client(self, client: Credentials, edited: Mapping[str, str]) -> Self:
        """Write the configuration of the client, before the start."""
        self.client = client
        pasted = self.folder / "recipe.conf"
        pasted.touch(mode=0o600)
        text = client.configuration["the VirtualHost of the application"]
        for line, other in edited.items():
            assert line in text
            text = text.replace(line, other)
        pasted.write_text(text)
        authority = self.folder / "authority.crt"
        authority.write_bytes(self.ca_file.read_bytes())
        authority.chmod(0o644)
        return self

    def replace_secret(self, secret: str) -> None:
        """Replace the secret in the configuration, and reload like `systemctl reload apache2`."""
        pasted = self.folder / "recipe.conf"
        pasted.write_text(pasted.read_text().replace(str(self.client.client_secret), secret))
        self.client = replace(self.client, client_secret=secret)
        already = self.log.count(STARTED)
        self._process.send_signal(signal.SIGUSR1)
        deadline = time.monotonic() + START_SECONDS_MAX
        while self.log.count(STARTED) == already:
            assert time.monotonic() < deadline, self.log
            time.sleep(0.05)

    def __enter__(self) -> Self:
        self._application = ThreadingHTTPServer(("127.0.0.1", 0), HeaderEcho)
        threading.Thread(target=self._application.serve_forever, args=(0.05,), daemon=True).start()
        names = {
            "FOLDER": self.folder,
            "MODULES": APACHE_MODULES,
            "PORT": self.port,
            "AUTHORITY": self.folder / "authority.crt",
            "CERTIFICATE": self._files.certificate,
            "KEY": self._files.key,
            "APPLICATION": f"http://127.0.0.1:{self._application.server_port}",
        }
        defined = [word for name, value in names.items() for word in ("-C", f"Define {name} {value}")]
        # Apache rejects root as the user of its workers.
        worker = ["-C", "User www-data", "-C", "Group www-data"] if os.geteuid() == 0 else []
        with (self.folder / "output.log").open("wb") as output:
            self._process = subprocess.Popen(
                [APACHE, *defined, *worker, "-f", CONFIGURATION, "-D", "FOREGROUND"],
                stdout=output,
                stderr=output,
                env={"PATH": os.environ["PATH"]},
            )
        deadline = time.monotonic() + START_SECONDS_MAX
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > deadline:
                self.__exit__()
                raise AssertionError(f"Apache did not start: {self.log}")
            time.sleep(0.05)
        return self

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.wait(15)
        self._application.shutdown()
        self._application.server_close()

    @property
    def log(self) -> str:
        """The logs of Apache."""
        return "".join((self.folder / name).read_text() for name in ("output.log", "error.log"))

    def _answers(self) -> bool:
        try:
            response = requests.get(self.url, verify=str(self.ca_file), timeout=5, allow_redirects=False)
        except requests.ConnectionError:
            return False
        return response.is_redirect  # to the sign-in


@contextmanager
def running_apache(site: Site, *options: str, edited: Mapping[str, str] = MappingProxyType({})) -> Iterator[Apache]:
    """Run Apache until the end of the block.

    Args:
        site: The bridge.
        options: Options of `passerelle clients add`.
        edited: Lines of the recipe and their replacements.
    """
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        folder.chmod(0o755)
        apache = Apache(folder, files=site.cas.files, ca_file=site.ca_file)
        client = site.add_client("Apache", *options, f"--url={apache.url}")
        with apache.configure_client(client, edited):
            site.wait_until_known()
            yield apache
