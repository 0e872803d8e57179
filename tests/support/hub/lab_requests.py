"""Requests of a user's programs to hub and lab, with a token and without normalization of the path."""

import json
import queue
import ssl
import threading
import time
import uuid
import warnings
from collections.abc import Iterator
from contextlib import suppress

import requests
import websocket

from tests.support.docker.deployment import Deployment


def ask(
    deployment: Deployment, host: str, method: str, path: str, *, token: str = "", data: str | bytes | None = None
) -> requests.Response:
    """Send a request with the path unchanged, such as one with encoded slashes."""
    headers = {"Host": host} | ({"Authorization": f"token {token}"} if token else {})
    address = f"https://127.0.0.1:{deployment.https_port}"
    request = requests.Request(method, address, headers=headers, data=data).prepare()
    request.url = address + path
    with requests.Session() as session, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that the certificate is not looked at
        return session.send(request, verify=False, timeout=120)


def open_websocket(deployment: Deployment, host: str, path: str, *, token: str) -> websocket.WebSocket:
    """Open a WebSocket with a token."""
    return websocket.create_connection(
        f"wss://127.0.0.1:{deployment.https_port}{path}",
        host=host,
        header=[f"Authorization: token {token}"],
        sslopt={"cert_reqs": ssl.CERT_NONE, "check_hostname": False, "server_hostname": host},
    )


class Kernel:
    """A kernel in a lab with one WebSocket, which is never reopened."""

    def __init__(self, deployment: Deployment, host: str, user: str, *, token: str) -> None:
        base = f"/user/{user}/api/kernels"
        made = ask(deployment, host, "POST", base, token=token, data="{}")
        assert made.status_code == 201, made.text
        self.socket = open_websocket(deployment, host, f"{base}/{made.json()['id']}/channels", token=token)
        self.open_store = time.monotonic()
        self._heard: queue.Queue[str] = queue.Queue()
        # Responds to pings of the lab, as a browser does.
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self) -> None:
        with suppress(websocket.WebSocketException, OSError):
            while heard := self.socket.recv():
                self._heard.put(str(heard))
        self._heard.put("")

    def run(self, code: str) -> Iterator[str]:
        """Run a cell and yield its output."""
        asked = uuid.uuid4().hex
        header = {"msg_id": asked, "msg_type": "execute_request", "username": "", "session": asked, "version": "5.3"}
        content = {"code": code, "silent": False}
        message = {"channel": "shell", "header": header, "parent_header": {}, "metadata": {}, "content": content}
        self.socket.send(json.dumps(message))
        while True:
            text = self._heard.get(timeout=60)
            assert text, "the WebSocket was closed"
            heard = json.loads(text)
            if heard["parent_header"].get("msg_id") != asked:
                continue
            if heard["msg_type"] == "stream":
                yield heard["content"]["text"]
            if heard["msg_type"] == "error":
                raise AssertionError(heard["content"])
            if heard["msg_type"] == "status" and heard["content"]["execution_state"] == "idle":
                return

    def close(self) -> None:
        """Close the WebSocket, as a closed tab does."""
        self.socket.close()
