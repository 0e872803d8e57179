"""Sending a browser on."""

from __future__ import annotations

from typing import Any

from flask import Response
from werkzeug.datastructures import Headers


class _SeeOther(Response):
    """A redirect URI has to be used byte for byte; Werkzeug would write it anew, host and special characters."""

    def __init__(self, location: str) -> None:
        super().__init__(status=303, headers={"Location": location, "Content-Length": "0"})

    def get_wsgi_headers(self, environ: Any) -> Headers:  # noqa: ARG002  the signature is Werkzeug's
        return self.headers


def see_other(location: str) -> Response:
    """303: the next request is a GET whatever this one was (RFC 9700 §4.12).

    Without a body, which would repeat the code that stands in the address.
    """
    return _SeeOther(location)
