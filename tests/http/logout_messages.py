"""Logout messages of CAS in every format, and sessions for them."""

from __future__ import annotations

import base64
import re
import zlib
from collections.abc import Callable
from urllib.parse import parse_qs, quote, urlencode, urlsplit

from tests.http.world import Running
from tests.support.bridge.actors import App, Browser, Response

FORM = {"Content-Type": "application/x-www-form-urlencoded"}
XML = {"Content-Type": "text/xml"}


def message(ticket: str) -> str:
    """Return the message as Apereo CAS writes it."""
    return (
        '<samlp:LogoutRequest xmlns:samlp="urn:oasis:names:tc:SAML:2.0:protocol" ID="LR-1-x" Version="2.0" '
        'IssueInstant="2026-11-23T06:53:04Z"><saml:NameID xmlns:saml="urn:oasis:names:tc:SAML:2.0:assertion">'
        f"@NOT_USED@</saml:NameID><samlp:SessionIndex>{ticket}</samlp:SessionIndex></samlp:LogoutRequest>"
    )


def form(text: str) -> bytes:
    return urlencode({"logoutRequest": text}).encode()


def deflated(text: str, *, window: int = zlib.MAX_WBITS) -> str:
    packing = zlib.compressobj(wbits=window)
    return base64.b64encode(packing.compress(text.encode()) + packing.flush()).decode()


def in_lines(text: str) -> str:
    return "\r\n".join(text[at : at + 76] for at in range(0, len(text), 76))


def multipart(text: str) -> tuple[bytes, dict[str, str]]:
    body = f'--b\r\nContent-Disposition: form-data; name="logoutRequest"\r\n\r\n{text}\r\n--b--\r\n'
    return body.encode(), {"Content-Type": "multipart/form-data; boundary=b"}


Sends = Callable[[Running, str], Response]


def posts(body: bytes, headers: dict[str, str], path: str = "/cas/logout") -> Callable[[Running], Response]:
    return lambda bridge: bridge.wire.send("POST", path, headers=headers, body=body)


WAYS: dict[str, Sends] = {
    "form": lambda bridge, ticket: posts(form(message(ticket)), FORM)(bridge),
    "form with a charset": lambda bridge, ticket: posts(
        form(message(ticket)), {"Content-Type": "application/x-www-form-urlencoded; charset=UTF-8"}
    )(bridge),
    "form of no type": lambda bridge, ticket: posts(form(message(ticket)), {})(bridge),
    "form said to be xml": lambda bridge, ticket: posts(form(message(ticket)), XML)(bridge),
    "form with more fields": lambda bridge, ticket: posts(b"a=b&" + form(message(ticket)) + b"&c=", FORM)(bridge),
    "raw xml": lambda bridge, ticket: posts(message(ticket).encode(), XML)(bridge),
    "raw xml said to be a form": lambda bridge, ticket: posts(message(ticket).encode(), FORM)(bridge),
    "raw xml with a mark": lambda bridge, ticket: posts(b"\xef\xbb\xbf" + message(ticket).encode(), XML)(bridge),
    "raw xml with a head": lambda bridge, ticket: posts(
        b'<?xml version="1.0" encoding="UTF-8"?>\n' + message(ticket).encode(), XML
    )(bridge),
    "encoded twice": lambda bridge, ticket: posts(form(quote(message(ticket))), FORM)(bridge),
    "raw and encoded": lambda bridge, ticket: posts(quote(message(ticket)).encode(), XML)(bridge),
    "multipart": lambda bridge, ticket: posts(*multipart(message(ticket)))(bridge),
    "indented": lambda bridge, ticket: posts(form(message(f"\n      {ticket}\n    ")), FORM)(bridge),
    "default namespace": lambda bridge, ticket: posts(form(message(ticket).replace("samlp:", "")), FORM)(bridge),
    "namespaces not declared": lambda bridge, ticket: posts(
        form(re.sub(r' xmlns:\w+="[^"]*"', "", message(ticket))), FORM
    )(bridge),
    "as CDATA": lambda bridge, ticket: posts(form(message(f"<![CDATA[{ticket}]]>")), FORM)(bridge),
    "at the service URL": lambda bridge, ticket: posts(form(message(ticket)), FORM, "/cas/callback?state=x")(bridge),
    "raw at the service URL": lambda bridge, ticket: posts(message(ticket).encode(), XML, "/cas/callback")(bridge),
    "browser": lambda bridge, ticket: bridge.wire.send(
        "GET", f"/cas/logout?{urlencode({'logoutRequest': deflated(message(ticket))})}"
    ),
    "browser without a head": lambda bridge, ticket: bridge.wire.send(
        "GET", f"/cas/logout?{urlencode({'logoutRequest': deflated(message(ticket), window=-15)})}"
    ),
    "browser with a bare plus": lambda bridge, ticket: bridge.wire.send(
        "GET", f"/cas/logout?logoutRequest={deflated(message(ticket))}"
    ),
    "browser with base64 in lines": lambda bridge, ticket: bridge.wire.send(
        "GET", f"/cas/logout?{urlencode({'logoutRequest': in_lines(deflated(message(ticket))).rstrip('=')})}"
    ),
    "browser with plain xml": lambda bridge, ticket: bridge.wire.send(
        "GET", f"/cas/logout?{urlencode({'logoutRequest': message(ticket)})}"
    ),
    "browser of Jasig CAS 4 at the service URL": lambda bridge, ticket: bridge.wire.send(
        "GET", f"/cas/callback?{urlencode({'state': 'x', 'SAMLRequest': deflated(message(ticket))})}"
    ),
    "browser at the service URL": lambda bridge, ticket: bridge.wire.send(
        "GET", f"/cas/callback?{urlencode({'state': 'x', 'logoutRequest': deflated(message(ticket))})}"
    ),
}


def ticket_in(callback: str) -> str:
    return parse_qs(urlsplit(callback).query)["ticket"][0]


def refreshing_hub(bridge: Running) -> App:
    """Return the token response; see `clients_with_logout_uris` for the clients."""
    return App(bridge.wire, secret="secret-of-the-hub")


def sign_in(browser: Browser, app: App, **changes: str) -> tuple[str, str]:
    """Return the ticket and the code."""
    callback = browser.log_in_at_cas(browser.get(app.authorization_url(**changes)))
    return ticket_in(callback), app.extract_code(browser.get(callback))
