"""Slow clients over one raw TLS connection."""

import base64
import json
import os
import socket
import ssl
import threading
import time


class SlowUpload(threading.Thread):
    """An upload to the contents API of a lab that sends one piece a second for `seconds`."""

    def __init__(self, address: tuple[str, int], host: str, path: str, token: str, *, seconds: int, size: int) -> None:
        super().__init__(daemon=True)
        content = base64.b64encode(os.urandom(size)).decode()
        self._body = json.dumps({"type": "file", "format": "base64", "content": content}).encode()
        self._head = (
            f"PUT {path} HTTP/1.1\r\nHost: {host}\r\nAuthorization: token {token}\r\nConnection: close\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(self._body)}\r\n\r\n"
        ).encode()
        self._address, self._host, self._seconds = address, host, seconds
        self.took = 0.0
        self.answer = ""

    def run(self) -> None:
        began = time.monotonic()
        try:
            with connect(self._address, self._host) as connection:
                connection.sendall(self._head)
                step = len(self._body) // self._seconds + 1
                for start in range(0, len(self._body), step):
                    connection.sendall(self._body[start : start + step])
                    time.sleep(1)
                self.answer = connection.recv(1000).decode(errors="replace")
        except OSError as error:
            self.answer = f"{type(error).__name__}: {error}"
        self.took = time.monotonic() - began


def connect(address: tuple[str, int], host: str) -> ssl.SSLSocket:
    """Open a TLS connection without verifying the certificate."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context.wrap_socket(socket.create_connection(address, timeout=30), server_hostname=host)
