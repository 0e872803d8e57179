"""Real reverse proxies on loopback, configured by the blocks of docs/install.md."""

from __future__ import annotations

import http.client
import os
import ssl
import subprocess
import time
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Self

from tests.machine.status import PROXIES
from tests.support.bridge.certificate_authority import ServerFiles
from tests.support.bridge.live_bridge import clean_environment, free_port
from tests.support.bridge.tls_proxy import TRAEFIK
from tests.support.install_page import blocks, substitute

HOST = "localhost"
START_SECONDS_MAX = 20


class ReverseProxy(ABC):
    """A reverse proxy in front of a bridge at `issuer`, which runs inside a `with` block.

    Args:
        folder: Where the configuration and the logs are written.
        files: The certificate of the host.
        ca_file: The authority that issued it.
        path: Path prefix of the bridge, or "" for a host of its own.
    """

    heading: str
    language: str

    def __init__(self, folder: Path, files: ServerFiles, ca_file: Path, *, path: str) -> None:
        self.folder, self.path = folder, path
        self.port, self.plain_port, self.bridge_port = free_port(), free_port(), free_port()
        self.issuer = f"https://{HOST}:{self.port}{path}"
        self._files, self._ca_file = files, ca_file
        self._process: subprocess.Popen[bytes] | None = None
        self.log_file = folder / "proxy.log"

    @abstractmethod
    def arguments(self) -> Sequence[str | Path]:
        """Write the configuration and return the command line."""

    def block(self, **others: object) -> str:
        """Return the block of the page with the addresses and files of this test."""
        of_host, below_path = blocks(self.heading, self.language)
        return self._filled_in(below_path if self.path else of_host)

    def _filled_in(self, block: str) -> str:
        values: Mapping[str, object] = {
            "/etc/ssl/passerelle.crt": self._files.certificate,
            "/etc/ssl/passerelle.key": self._files.key,
            "127.0.0.1:8000": f"127.0.0.1:{self.bridge_port}",
            "https://auth.example.org": f"https://{HOST}:{self.port}",
            "auth.example.org": HOST,
        }
        return substitute(block, {example: value for example, value in values.items() if example in block})

    @property
    def files(self) -> ServerFiles:
        return self._files

    def __enter__(self) -> Self:
        arguments = self.arguments()
        environment = clean_environment() | {"XDG_DATA_HOME": str(self.folder), "XDG_CONFIG_HOME": str(self.folder)}
        with self.log_file.open("wb") as log:
            self._process = subprocess.Popen(arguments, cwd=self.folder, env=environment, stdout=log, stderr=log)
        deadline = time.monotonic() + START_SECONDS_MAX
        while not self._answers():
            assert self._process.poll() is None, self.log_file.read_text()
            assert time.monotonic() < deadline, self.log_file.read_text()
            time.sleep(0.05)
        return self

    def __exit__(self, *_: object) -> None:
        if self._process is not None:
            self._process.terminate()
            try:
                self._process.wait(10)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()

    def _answers(self) -> bool:
        """Return whether the proxy forwards requests; without a bridge it responds 502 or 503."""
        context = ssl.create_default_context(cafile=str(self._ca_file))
        connection = http.client.HTTPSConnection(HOST, self.port, timeout=5, context=context)
        try:
            connection.request("GET", f"{self.path}/healthz")
            return connection.getresponse().status in (200, 502, 503)
        except OSError:
            return False
        finally:
            connection.close()


class Nginx(ReverseProxy):
    """The package of Debian."""

    heading, language = "nginx", "nginx"

    def arguments(self) -> Sequence[str | Path]:
        block = self.block()
        if self.path:
            block = f"""server {{
                listen {self.port} ssl; server_name {HOST};
                ssl_certificate {self.files.certificate}; ssl_certificate_key {self.files.key};
                {block}
            }}"""
        else:
            listening = {"listen 80;": f"listen {self.plain_port};", "listen 443": f"listen {self.port}"}
            block = substitute(block, listening)
        block = substitute(block, {"/var/log/nginx/error.log": self.folder / "error.log"})
        user = "user root;" if os.geteuid() == 0 else ""
        places = "".join(
            f"{name}_temp_path {self.folder}/{name};" for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
        )
        (self.folder / "nginx.conf").write_text(
            f"daemon off; {user} pid {self.folder}/nginx.pid; error_log stderr; worker_processes 1; events {{}}\n"
            f"http {{ {places} access_log {self.folder}/access.log;\n{block} }}"
        )
        return [PROXIES["nginx"], "-p", self.folder, "-c", self.folder / "nginx.conf", "-e", "stderr"]


class Apache(ReverseProxy):
    """The package of Debian with the modules that the page names."""

    heading, language = "Apache", "apache"

    def arguments(self) -> Sequence[str | Path]:
        block = self.block()
        if self.path:
            block = f"""<VirtualHost *:443>
                ServerName {HOST}
                SSLEngine on
                SSLCertificateFile {self.files.certificate}
                SSLCertificateKeyFile {self.files.key}
                {block}
            </VirtualHost>"""
        else:
            block = substitute(block, {"*:80>": f"*:{self.plain_port}>", "/var/log/apache2": self.folder})
        block = substitute(block, {"*:443>": f"*:{self.port}>"})
        modules = ("mpm_event", "authz_core", "ssl", "headers", "proxy", "proxy_http", "alias")
        lines = [f"LoadModule {name}_module /usr/lib/apache2/modules/mod_{name}.so" for name in modules]
        lines += [f"Listen 127.0.0.1:{port}" for port in (self.port, self.plain_port)]
        lines += [f"ServerRoot {self.folder}", f"PidFile {self.folder}/apache.pid", "ErrorLog /dev/stderr"]
        lines += [
            f"ServerName {HOST}",
            f"Mutex file:{self.folder}",
            *(["User nobody", "Group nogroup"] * (os.geteuid() == 0)),
        ]
        (self.folder / "apache.conf").write_text("\n".join([*lines, block]))
        return [PROXIES["apache2"], "-DFOREGROUND", "-f", self.folder / "apache.conf"]


class Caddy(ReverseProxy):
    """The package of Debian."""

    heading, language = "Caddy", "caddy"

    def arguments(self) -> Sequence[str | Path]:
        options, _, of_host = blocks(self.heading, self.language)[0].partition("\n}\n")
        block = self._filled_in(blocks(self.heading, self.language)[1] if self.path else of_host)
        if self.path:
            block = f"{HOST} {{\ntls {self.files.certificate} {self.files.key}\n{block}\n}}\n"
        ours = f"admin off\nhttps_port {self.port}\nhttp_port {self.plain_port}"
        (self.folder / "Caddyfile").write_text(f"{options}\n{ours}\n}}\n{block}")
        return [PROXIES["caddy"], "run", "--config", self.folder / "Caddyfile", "--adapter", "caddyfile"]


class Traefik(ReverseProxy):
    """The Python package that the hub uses without Docker."""

    heading, language = "Traefik", "yaml"

    def block(self, **_: object) -> str:
        of_host, rule = blocks(self.heading, self.language)
        if self.path:
            of_host = substitute(of_host, {"rule: Host(`auth.example.org`)\n": rule})
        return self._filled_in(of_host)

    def arguments(self) -> Sequence[str | Path]:
        (self.folder / "routes.yml").write_text(self.block())
        return [
            TRAEFIK,
            f"--entrypoints.websecure.address=127.0.0.1:{self.port}",
            "--entrypoints.websecure.http.aliasheadersstrategy=delete",
            f"--providers.file.filename={self.folder / 'routes.yml'}",
            "--global.sendanonymoususage=false",
            "--global.checknewversion=false",
        ]


ALL = (Nginx, Apache, Caddy, Traefik)
