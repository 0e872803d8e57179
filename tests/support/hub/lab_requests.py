"""What programs of a user's own do: requests to hub and lab with a token, by hand where a library would tidy them."""

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
    """A request with the path as it is given: encoded slashes are often the point."""
    headers = {"Host": host} | ({"Authorization": f"token {token}"} if token else {})
    address = f"https://127.0.0.1:{deployment.https_port}"
    request = requests.Request(method, address, headers=headers, data=data).prepare()
    request.url = address + path
    with requests.Session() as session, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that the certificate is not looked at
        return session.send(request, verify=False, timeout=120)


def open_websocket(deployment: Deployment, host: str, path: str, *, token: str) -> websocket.WebSocket:
    """As a page or program opens one."""
    return websocket.create_connection(
        f"wss://127.0.0.1:{deployment.https_port}{path}",
        host=host,
        header=[f"Authorization: token {token}"],
        sslopt={"cert_reqs": ssl.CERT_NONE, "check_hostname": False, "server_hostname": host},
    )


class Kernel:
    """A kernel in a lab, and the one WebSocket to it, which is never opened again."""

    def __init__(self, deployment: Deployment, host: str, user: str, *, token: str) -> None:
        base = f"/user/{user}/api/kernels"
        made = ask(deployment, host, "POST", base, token=token, data="{}")
        assert made.status_code == 201, made.text
        self.socket = open_websocket(deployment, host, f"{base}/{made.json()['id']}/channels", token=token)
        self.open_store = time.monotonic()
        self._heard: queue.Queue[str] = queue.Queue()
        # As a browser does, it answers the lab's pings while nobody types.
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self) -> None:
        with suppress(websocket.WebSocketException, OSError):
            while heard := self.socket.recv():
                self._heard.put(str(heard))
        self._heard.put("")

    def run(self, code: str) -> Iterator[str]:
        """What a cell prints, as it prints it."""
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
        """As when the tab is closed."""
        self.socket.close()
