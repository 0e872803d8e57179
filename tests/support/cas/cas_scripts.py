"""Scripts that replace the validation response of the scripted CAS."""

from __future__ import annotations

import gzip

from tests.support.cas.scripted_cas import Exchange, Script, head


def reply(body: bytes, *, status: int = 200, **headers: str) -> Script:
    """Send any body. Underscores in header names stand for hyphens."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return lambda exchange: exchange.reply(body, status=status, headers=named)


def reply_html(status: int = 200) -> Script:
    """Send a web page, as for a wrong CAS URL or a proxy error."""
    page = b"<!DOCTYPE html>\n<html><head><title>Welcome</title></head><body>Hello</body></html>"
    return reply(page, status=status, Content_Type="text/html")


def redirect(location: str, status: int = 302) -> Script:
    return reply(b"", status=status, Location=location)


def reply_raw(raw: bytes) -> Script:
    """Send raw bytes, and close the connection."""

    def script(exchange: Exchange) -> None:
        exchange.keep_alive = False
        exchange.send(raw)

    return script


def close() -> Script:
    """Read the request and close the connection."""
    return reply_raw(b"")


def truncate(body: bytes, announced: int) -> Script:
    """Announce more bytes than are sent."""
    return reply_raw(head(200, {"Content-Length": str(announced)}) + body)


def chunks(body: bytes, size: int = 7) -> Script:
    """Send a valid response in chunks."""
    pieces = [body[at : at + size] for at in range(0, len(body), size)]
    coded = b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n\r\n"
    return lambda exchange: exchange.send(head(200, {"Transfer-Encoding": "chunked"}) + coded)


def gzips(body: bytes) -> Script:
    """Compress the response without being asked to."""
    return reply(gzip.compress(body), Content_Encoding="gzip")


def never_answers() -> Script:
    return lambda exchange: exchange.pause(60)


def waits(seconds: float, then: Script | None = None) -> Script:
    """Respond after a delay."""

    def script(exchange: Exchange) -> None:
        exchange.pause(seconds)
        (then or exchange.cas.validate)(exchange)

    return script


def dribbles(raw: bytes, *, at_once: int, every: float) -> Script:
    """Send `at_once` bytes, then one byte at a time."""

    def script(exchange: Exchange) -> None:
        exchange.send(raw[:at_once])
        for at in range(at_once, len(raw)):
            exchange.pause(every)
            exchange.send(raw[at : at + 1])

    return script


def dribbles_headers(body: bytes, every: float) -> Script:
    raw = head(200, {"Content-Length": str(len(body))}) + body
    return dribbles(raw, at_once=3, every=every)


def dribbles_body(body: bytes, every: float) -> Script:
    start = head(200, {"Content-Length": str(len(body))})
    return dribbles(start + body, at_once=len(start), every=every)
