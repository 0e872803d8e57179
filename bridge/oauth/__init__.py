"""The OAuth2 / OpenID Connect provider.

It owns the clients, the request checks, the grants, the claims, the signing keys and the metadata. Authlib and joserfc
are used here only. Functions take parameters and return values: none sees an HTTP request, a cookie or CAS.
"""
