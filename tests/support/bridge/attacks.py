"""Hostile clients of a listening bridge, in a process of their own.

    python -m tests.support.bridge.attacks unfinished-bodies PORT COUNT [TARGET …]

Prints a line when all connections are open or, for requests, when all responses are there.
"""

from __future__ import annotations

import asyncio
import sys

CONNECTIONS = 64
OPENINGS = {
    "unfinished-bodies": b"POST /token HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\nabc",
    "unfinished-chunks": b"POST /token HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n",
    "expect-continue": b"POST /token HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\nExpect: 100-continue\r\n\r\n",
    "unfinished-headers": b"GET /healthz HTTP/1.1\r\nHost:",
    "idle": b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n",
}


async def hold(port: int, count: int, opening: bytes) -> None:
    """Open connections, and keep them until the bridge closes all of them."""
    streams = []
    for _ in range(count):
        streams.append(await asyncio.open_connection("127.0.0.1", port))
        streams[-1][1].write(opening)
    print("open", flush=True)
    await asyncio.gather(*(reader.read() for reader, _ in streams), return_exceptions=True)


async def request(port: int, targets: list[tuple[str, str]]) -> None:
    """Request targets, each with its Cookie header, over a few connections."""
    print("open", flush=True)

    async def work() -> None:
        while targets:
            target, cookie = targets.pop()
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(f"GET {target} HTTP/1.1\r\nHost: a\r\nCookie: {cookie}\r\nConnection: close\r\n\r\n".encode())
            await reader.read()
            writer.close()

    await asyncio.gather(*(work() for _ in range(CONNECTIONS)))


def main() -> None:
    kind, port, count = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    if kind in OPENINGS:
        asyncio.run(hold(port, count, OPENINGS[kind]))
    else:
        targets = [line.rstrip("\n").partition("\t")[::2] for line in sys.stdin]
        asyncio.run(request(port, [(target, cookie) for target, cookie in targets] * count))
    print("closed", flush=True)


if __name__ == "__main__":
    main()
