"""Where a client puts its access token (RFC 6750 §2); never in the query."""

from __future__ import annotations

import re
from collections.abc import Iterable

from bridge.errors import InvalidRequest, InvalidToken, MissingToken

TOKEN = re.compile(r"[A-Za-z0-9._~+/-]{1,512}=*")


def bearer_token(authorization_header: str | None, body: Iterable[tuple[str, str]]) -> str:
    """The access token of a request, still unproven.

    :param authorization_header: the HTTP header of that name, if it came
    :param body: the parameters of a form body
    :raises MissingToken: when there is none
    :raises InvalidToken: when it cannot be one
    :raises InvalidRequest: when there are several
    """
    tokens = [value for name, value in body if name == "access_token"]
    if authorization_header is not None:
        scheme, _, token = authorization_header.partition(" ")
        if scheme.lower() == "bearer":
            tokens.append(token.strip())
    if not tokens:
        raise MissingToken("Send an access token: Authorization: Bearer …")
    if len(tokens) > 1:
        raise InvalidRequest("Send one access token, in the Authorization header or in the body.")
    if not TOKEN.fullmatch(tokens[0]):
        raise InvalidToken
    return tokens[0]
