"""What must survive a restart, behind one interface of intentions.

Owns the tables and every statement on them; SQLAlchemy Core lives here only. Knows nothing of HTTP, CAS or OAuth
beyond the names of its records. Tickets, codes, tokens and cookie values arrive here as SHA-256 hashes
(`fingerprint`), so that a copy of the database signs nobody in. Times are Unix seconds and always an argument.
"""

from bridge.store.records import (
    AccessToken,
    AuthorizationCode,
    PendingLogin,
    Session,
    SigningKey,
    Store,
    fingerprint,
)
from bridge.store.sql import SqlStore

__all__ = [
    "AccessToken",
    "AuthorizationCode",
    "PendingLogin",
    "Session",
    "SigningKey",
    "SqlStore",
    "Store",
    "fingerprint",
]
