"""HTTP: parse, call a room, render.

Owns the routes, the cookies, the pages and the way an error becomes an answer. Knows nothing of XML, SQL or
signatures: what a request means is decided in `oauth` and `cas`, what is remembered in `store`.
"""

from bridge.web.context import AppContext
from bridge.web.routes import register

__all__ = ["AppContext", "register"]
