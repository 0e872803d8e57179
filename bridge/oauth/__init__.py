"""The OAuth2 / OpenID Connect provider: an identity and a request come in, codes, tokens and claims go out.

Owns the clients, the ordered checks, the code grant, the claims, the signing keys and the metadata. Authlib and
joserfc live here only. Takes parameters and returns values: it never sees an HTTP request, a cookie or CAS.
"""

from bridge.oauth.authorization import AuthorizationRequest
from bridge.oauth.provider import Provider

__all__ = ["AuthorizationRequest", "Provider"]
