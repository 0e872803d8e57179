"""Clients that take their time, as slow lines and patient notebooks do: over one connection, by hand."""

import base64
import json
import os
import socket
import ssl
import struct
import threading
import time


class SlowUpload(threading.Thread):
    """A file put into a home through the contents API, a piece every second, for a given time."""

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


class QuietWebSocket:
    """A WebSocket on which this side says nothing until it is asked to."""

    def __init__(self, address: tuple[str, int], host: str, path: str, token: str) -> None:
        self._connection = connect(address, host)
        key = base64.b64encode(os.urandom(16)).decode()
        self._connection.sendall(
            f"GET {path} HTTP/1.1\r\nHost: {host}\r\nAuthorization: token {token}\r\nUpgrade: websocket\r\n"
            f"Connection: Upgrade\r\nSec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n\r\n".encode()
        )
        self.greeting = self._connection.recv(4000).decode(errors="replace")
        self.opened = time.monotonic()

    def answers(self, what: bytes) -> bool:
        """Whether a ping of ours comes back; what the other side said meanwhile is passed over."""
        mask = os.urandom(4)
        masked = bytes(byte ^ mask[i % 4] for i, byte in enumerate(what))
        self._connection.sendall(bytes([0x89, 0x80 | len(what)]) + mask + masked)
        heard = b""
        deadline = time.monotonic() + 10
        while struct.pack("BB", 0x8A, len(what)) + what not in heard:
            piece = self._connection.recv(65536)
            if not piece or time.monotonic() > deadline:
                return False
            heard += piece
        return True

    def close(self) -> None:
        self._connection.close()


def connect(address: tuple[str, int], host: str) -> ssl.SSLSocket:
    """As a browser that was told to accept the certificate, whatever it is."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context.wrap_socket(socket.create_connection(address, timeout=30), server_hostname=host)
