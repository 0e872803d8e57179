"""The HTTP layer: routes, cookies, pages and error responses.

It knows no XML, SQL or signatures: `oauth` and `cas` decide what a request means, and `store` keeps state.
"""
