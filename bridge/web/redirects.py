"""Sending a browser on."""

from __future__ import annotations

from flask import Response


def see_other(location: str) -> Response:
    """303: the next request is a GET whatever this one was (RFC 9700 §4.12).

    Without a body, which would repeat the code that stands in the address.
    """
    response = Response(status=303)
    response.headers["Location"] = location
    return response
