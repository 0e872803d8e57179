"""Sending a browser on, and back to a client."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from flask import Response, make_response, render_template
from werkzeug.datastructures import Headers

from bridge.oauth.authorization import in_query
from bridge.oauth.authorization_endpoint import Answer


class RawRedirect(Response):
    """A redirect URI has to be used byte for byte; Werkzeug would write it anew, host and special characters."""

    def __init__(self, location: str) -> None:
        super().__init__(status=303, headers={"Location": location, "Content-Length": "0"})
        del self.headers["Content-Type"]  # there is no body

    def get_wsgi_headers(self, environ: Any) -> Headers:  # noqa: ARG002  the signature is Werkzeug's
        return self.headers


def see_other(location: str) -> Response:
    """303: the next request is a GET whatever this one was (RFC 9700 §4.12).

    Without a body, which would repeat the code that stands in the address.
    """
    return RawRedirect(location)


def answer_client(answer: Answer) -> Response:
    """By redirect, or by a form that the browser posts (OAuth 2.0 Form Post Response Mode §2)."""
    if answer.response_mode == "query":
        return see_other(in_query(answer.redirect_uri, answer.parameters))
    page = render_template("form_post.html", action=answer.redirect_uri, parameters=answer.parameters)
    response = make_response(page)
    response.headers["Content-Security-Policy"] = content_security_policy(
        form_action=source_of(answer.redirect_uri), script="'self'"
    )
    return response


def content_security_policy(*, form_action: str = "'self'", script: str = "'none'") -> str:
    """Nothing from elsewhere, in no frame (RFC 9700 §4.16).

    :param form_action: where forms may lead; browsers hold redirects after a form to it as well
    """
    return (
        f"default-src 'none'; style-src 'self'; img-src 'self'; script-src {script}; form-action {form_action}; "
        "frame-ancestors 'none'; base-uri 'none'"
    )


def source_of(uri: str) -> str:
    """Where a form may lead that ends at this URI: anywhere by its scheme.

    Browsers hold every redirect after a form to the policy, and what an application does behind its redirect URI is
    its own; nor can a policy name an IPv6 address.
    """
    return f"{urlsplit(uri).scheme}:" + ("" if uri.startswith("https:") else " https:")
