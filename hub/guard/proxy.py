"""The guard's server: parse a call, check it, send the engine one of our own, and return the answer."""

import asyncio
import json
import logging
from typing import Any

from aiohttp import ClientError, ClientSession, ClientTimeout, UnixConnector, web
from aiohttp.http import HttpVersion11
from yarl import URL

from hub.guard.creation import check_container, check_volume
from hub.guard.routes import TIMEOUT, Call, parse_call, parse_json
from hub.guard.rules import RefusedError, Rules

MAX_BODY = 256 * 1024  # bytes
MAX_ANSWER = 32 * 1024 * 1024
MAX_QUOTED = 200  # characters of a call in the log

log = logging.getLogger("guard")


class EngineError(Exception):
    """The engine cannot be reached, or does not answer in time."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status


class Engine:
    """The engine's socket."""

    def __init__(self, socket: str, timeout: float | None = None) -> None:
        self._socket, self._timeout = socket, timeout
        self._session: ClientSession | None = None

    async def request(self, method: str, target: str, body: bytes | None, timeout: float) -> tuple[int, str, bytes]:
        """Return status, content type and body of the engine's answer."""
        if self._session is None:
            # No connection is kept: one that the engine closes meanwhile would fail a call that cannot be repeated.
            connector = UnixConnector(self._socket, force_close=True, limit=0)
            self._session = ClientSession(connector=connector, auto_decompress=False)
        headers = {"Content-Type": "application/json"} if body is not None else {}
        seconds = self._timeout or timeout
        try:
            async with self._session.request(
                method,
                URL(f"http://docker{target}", encoded=True),
                data=body,
                headers=headers,
                timeout=ClientTimeout(seconds),
                allow_redirects=False,
            ) as answer:
                content = b""
                async for chunk in answer.content.iter_any():
                    content += chunk
                    if len(content) > MAX_ANSWER:
                        raise EngineError(502, f"the Docker engine's answer exceeds {MAX_ANSWER} bytes")
                return answer.status, answer.headers.get("Content-Type", ""), content
        except TimeoutError:
            raise EngineError(504, f"the Docker engine did not answer within {seconds:.0f} s") from None
        except (ClientError, OSError) as error:
            raise EngineError(502, f"the Docker engine cannot be reached: {error}") from None

    async def close(self) -> None:
        """Close all connections."""
        if self._session is not None:
            await self._session.close()


class Guard:
    """The handler of all calls."""

    def __init__(self, rules: Rules, engine: Engine) -> None:
        self._rules, self._engine = rules, engine

    async def handle(self, request: web.BaseRequest) -> web.Response:
        """Return the engine's answer, or an error in the engine's format."""
        said = f"{request.method} {request.raw_path}"
        said = ascii(said if len(said) <= MAX_QUOTED else f"{said[:MAX_QUOTED]}…")
        try:
            return await self._pass(request)
        except RefusedError as reason:
            log.warning("refused %s: %s", said, reason)
            return _error(403, f"refused by the hub's guard: {reason}")
        except EngineError as error:
            log.error("%s: %s", said, error)
            return _error(error.status, str(error))

    async def _pass(self, request: web.BaseRequest) -> web.Response:
        _check_form(request)
        call = parse_call(request.method, request.raw_path, self._rules)
        text = await _read(request)
        body: bytes | None = None
        if call.route.action.startswith("create"):
            if request.headers.get("Content-Type") != "application/json":
                raise RefusedError("the Content-Type is not application/json")
            body = self._check_creation(call, parse_json(text))
        elif text:
            raise RefusedError("the call has a body")
        path = call.path
        if call.route.action == "use container":
            answer = await self._send(call, f"/containers/{call.name}/json", method="GET")
            if answer.status != 200:
                return answer
            # By its id, because another container may get the name meanwhile.
            path = path.replace(f"/{call.name}", f"/{self._own_container(answer.body)['Id']}", 1)
        answer = await self._send(call, path, body)
        if answer.status == 200 and call.route.action == "inspect container":
            self._own_container(answer.body)
        if answer.status == 200 and call.route.action == "list volumes":
            return web.json_response(self._own_volumes(answer.body))
        return answer

    async def _send(self, call: Call, path: str, body: bytes | None = None, method: str = "") -> web.Response:
        target = call.target(path) if not method else f"{call.version}{path}"
        status, kind, content = await self._engine.request(
            method or call.route.method, target, body, call.route.timeout
        )
        return web.Response(status=status, body=content, headers={"Content-Type": kind} if kind else None)

    def _check_creation(self, call: Call, body: Any) -> bytes:
        if call.route.action == "create volume":
            checked: Any = check_volume(body, self._rules)
        else:
            checked = check_container(body, call.query.get("name", ""), self._rules)
        return json.dumps(checked.model_dump(by_alias=True, exclude_unset=True)).encode()

    def _own_volumes(self, content: Any) -> dict[str, Any]:
        volumes = json.loads(content).get("Volumes") or []
        return {"Volumes": [one for one in volumes if self._rules.owns_volume(one["Name"])], "Warnings": None}

    def _own_container(self, content: Any) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(content)
        if not self._rules.owns_container(found["Config"].get("Labels") or {}, found["Name"]):
            raise RefusedError("the container is not one of this deployment's labs")
        return found


def _check_form(request: web.BaseRequest) -> None:
    """Reject requests that a Docker client of the hub never sends."""
    if request.version != HttpVersion11:
        raise RefusedError("the call is not HTTP/1.1")
    for name in ("Upgrade", "Transfer-Encoding", "Expect", "Content-Encoding", "X-Registry-Auth", "X-Registry-Config"):
        if name in request.headers:
            raise RefusedError(f"the call has the header {name}")
    if "upgrade" in request.headers.get("Connection", "").lower():
        raise RefusedError("the call asks for an upgrade of the connection")
    if len(request.headers.getall("Content-Length", [])) > 1:
        raise RefusedError("the call has two lengths")


async def _read(request: web.BaseRequest) -> bytes:
    if (request.content_length or 0) > MAX_BODY:
        raise RefusedError(f"the body exceeds {MAX_BODY} bytes")
    try:
        return await asyncio.wait_for(request.read(), TIMEOUT)
    except TimeoutError:
        raise RefusedError("the body did not arrive in time") from None


def _error(status: int, message: str) -> web.Response:
    return web.json_response({"message": message}, status=status)
