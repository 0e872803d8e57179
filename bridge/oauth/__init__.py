"""The OAuth2 / OpenID Connect provider: an identity and a request come in, codes, tokens and claims go out.

Owns the clients, the ordered checks, the grants, the claims, the signing keys and the metadata. Authlib and
joserfc live here only. Takes parameters and returns values: it never sees an HTTP request, a cookie or CAS.
"""
