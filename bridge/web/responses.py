"""Redirects and authorization responses, and the content security policy of pages with forms."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode, urlsplit

from flask import Response, make_response, render_template
from werkzeug.datastructures import Headers

from bridge.oauth.authorization import AuthorizationRequest
from bridge.oauth.parameters import add_query
from bridge.web.context import AppContext


class RawRedirect(Response):
    """A redirect with a 303, so that the next request is a GET (RFC 9700 §4.12).

    It sends the URI byte for byte; Werkzeug would normalize it. It has no body, which would repeat the code in the URI.
    """

    def __init__(self, location: str) -> None:
        super().__init__(status=303, headers={"Location": location, "Content-Length": "0"})
        del self.headers["Content-Type"]

    def get_wsgi_headers(self, environ: Any) -> Headers:  # noqa: ARG002  Werkzeug's signature
        """Return the headers unchanged."""
        return self.headers


def authorization_response(redirect_uri: str, parameters: Mapping[str, str], response_mode: str) -> Response:
    """Redirect, or return a form for the browser to post (OAuth 2.0 Form Post Response Mode §2)."""
    if response_mode == "query":
        return RawRedirect(add_query(redirect_uri, parameters))
    page = render_template("form_post.html", action=redirect_uri, parameters=parameters)
    return with_form_policy(page, form_action_source(redirect_uri), script="'self'")


def restart_authorization(context: AppContext, authorization: AuthorizationRequest) -> RawRedirect:
    """Redirect to the authorization endpoint with the same request."""
    return RawRedirect(f"{context.provider.issuer}/authorize?{urlencode(authorization.to_parameters())}")


def with_form_policy(page: str, *form_actions: str, script: str = "'none'") -> Response:
    """Return a page whose form may lead to these sources."""
    response = make_response(page)
    sources = " ".join(dict.fromkeys(form_actions))
    response.headers["Content-Security-Policy"] = content_security_policy(form_action=sources, script=script)
    return response


def content_security_policy(*, form_action: str = "'self'", script: str = "'none'") -> str:
    """Return a policy that forbids foreign content and frames (RFC 9700 §4.16).

    Browsers apply `form_action` to redirects after a form as well.
    """
    return (
        f"default-src 'none'; style-src 'self'; img-src 'self'; script-src {script}; form-action {form_action}; "
        "frame-ancestors 'none'; base-uri 'none'"
    )


def form_action_source(uri: str) -> str:
    """Return the CSP source for a form that ends at a URI: its scheme.

    A host would be too narrow, because the policy also covers redirects behind the URI. A policy cannot name an
    IPv6 address either.
    """
    return f"{urlsplit(uri).scheme}:" + ("" if uri.startswith("https:") else " https:")
