"""Hosts outside of the server, as labs see them: a network namespace with public, private and link-local addresses.

A routing rule sends only the packets of one labs' subnet there, so the routes of the machine stay as they are.
"""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

PUBLIC, PRIVATE, METADATA, SHARED = "203.0.113.10", "10.255.254.10", "169.254.169.254", "100.64.0.10"
ADDRESSES = (PUBLIC, PRIVATE, METADATA, SHARED)
SERVER = r"""
import http.server, socketserver, sys, threading, urllib.parse

class Web(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        record("http", self.connection.getsockname()[0])
        to = urllib.parse.parse_qs(urllib.parse.urlsplit(self.path).query).get("to")
        self.send_response(302 if to else 200)
        if to:
            self.send_header("Location", to[0])
        self.send_header("Content-Length", "7")
        self.end_headers()
        self.wfile.write(b"outside")
    def log_message(self, *_):
        pass

class Datagram(socketserver.BaseRequestHandler):
    def handle(self):
        data, sock = self.request
        record("udp", data.hex())
        sock.sendto(data, self.client_address)

def record(*words):
    with open(sys.argv[1], "a") as file:
        print(*words, file=file)

servers = [http.server.ThreadingHTTPServer(("0.0.0.0", port), Web) for port in (80, 443)]
servers += [socketserver.ThreadingUDPServer(("0.0.0.0", 53), Datagram)]
for server in servers:
    threading.Thread(target=server.serve_forever).start()
record("ready")
"""


class Outside:
    """The hosts, and what they received from labs."""

    def __init__(self, records: Path) -> None:
        self.records = records

    def received(self) -> list[str]:
        """Return one line for each request since the last call."""
        lines = self.records.read_text().splitlines()
        self.records.write_text("")
        return lines


@contextlib.contextmanager
def outside(subnet: str, folder: Path) -> Iterator[Outside]:
    """Run the hosts, reachable from this subnet."""
    number = str(os.getpid() + 1000)  # the numbers below 256 are reserved for routing tables
    namespace, device = f"outside-{number}", f"po{number}"
    records = folder / "outside.txt"
    records.touch()
    server: subprocess.Popen[bytes] | None = None
    try:
        _ip("netns", "add", namespace)
        _ip("link", "add", device, "type", "veth", "peer", "name", "world", "netns", namespace)
        _ip("address", "add", "198.51.100.1/30", "dev", device)
        _ip("link", "set", device, "up")
        # Replies come from addresses to which the machine's own routes lead elsewhere.
        Path(f"/proc/sys/net/ipv4/conf/{device}/rp_filter").write_text("2")
        _ip("-n", namespace, "address", "add", "198.51.100.2/30", "dev", "world")
        for address in ADDRESSES:
            _ip("-n", namespace, "address", "add", f"{address}/32", "dev", "world")
            _ip("route", "add", f"{address}/32", "dev", device, "table", number)
        _ip("-n", namespace, "link", "set", "world", "up")
        _ip("rule", "add", "from", subnet, "lookup", number)
        server = subprocess.Popen(["ip", "netns", "exec", namespace, sys.executable, "-c", SERVER, str(records)])
        deadline = time.monotonic() + 10
        while "ready" not in records.read_text():
            assert time.monotonic() < deadline, "the hosts outside do not start"
            time.sleep(0.05)
        ours = Outside(records)
        ours.received()
        yield ours
    finally:
        if server:
            server.kill()
            server.wait()
        _ip("rule", "delete", "from", subnet, "lookup", number, check=False)
        _ip("netns", "delete", namespace, check=False)
        _ip("link", "delete", device, check=False)


def machine_address() -> str:
    """Return the address from which this machine would reach others."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as unconnected:
        unconnected.connect((PUBLIC, 9))  # of a datagram socket: it selects a route and sends nothing
        return str(unconnected.getsockname()[0])


def _ip(*arguments: str, check: bool = True) -> None:
    done = subprocess.run(["ip", *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0 or not check, f"ip {' '.join(arguments)}: {done.stderr}"
