"""A real Traefik on loopback that terminates TLS in front of a bridge."""

from __future__ import annotations

import http.client
import json
import ssl
import subprocess
import sys
import time
from pathlib import Path
from typing import Self

from tests.support.bridge.live_bridge import clean_environment, free_port

TRAEFIK = Path(sys.executable).with_name("traefik")
START_SECONDS_MAX = 30


class TlsProxy:
    """A proxy that serves `url` inside a `with` block."""

    def __init__(self, folder: Path, *, certificate: Path, key: Path, ca_file: Path) -> None:
        self.port = free_port()
        self.url = f"https://127.0.0.1:{self.port}"
        self._folder, self._ca_file = folder, ca_file
        self._tls = {"stores": {"default": {"defaultCertificate": {"certFile": str(certificate), "keyFile": str(key)}}}}
        self._process: subprocess.Popen[bytes] | None = None

    def forward_to(self, port: int) -> None:
        """Forward every request to this port; call it before the start."""
        routes = {
            "routers": {"all": {"rule": "PathPrefix(`/`)", "service": "behind", "tls": {}}},
            "services": {"behind": {"loadBalancer": {"servers": [{"url": f"http://127.0.0.1:{port}"}]}}},
        }
        # JSON is a subset of YAML.
        (self._folder / "front.yml").write_text(json.dumps({"http": routes, "tls": self._tls}), encoding="utf-8")

    def __enter__(self) -> Self:
        arguments = [
            f"--entrypoints.websecure.address=127.0.0.1:{self.port}",
            "--entrypoints.websecure.http.aliasheadersstrategy=delete",
            f"--providers.file.filename={self._folder / 'front.yml'}",
            "--global.sendanonymoususage=false",
            "--global.checknewversion=false",
        ]
        with (self._folder / "front.log").open("wb") as log:
            self._process = subprocess.Popen([TRAEFIK, *arguments], env=clean_environment(), stdout=log, stderr=log)
        deadline = time.monotonic() + START_SECONDS_MAX
        while not self._answers():
            if time.monotonic() > deadline:
                self.__exit__()
                raise AssertionError((self._folder / "front.log").read_text())
            time.sleep(0.05)
        return self

    def __exit__(self, *_: object) -> None:
        if self._process is not None:
            self._process.terminate()
            self._process.wait(15)

    def _answers(self) -> bool:
        context = ssl.create_default_context(cafile=str(self._ca_file))
        connection = http.client.HTTPSConnection("127.0.0.1", self.port, timeout=5, context=context)
        try:
            connection.request("GET", "/healthz")  # served there for every issuer path
            return connection.getresponse().status != 404  # 404 until the routes are loaded
        except OSError:
            return False
        finally:
            connection.close()
