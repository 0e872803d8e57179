"""Storage of everything that must survive a restart, behind the `Store` interface.

This package owns the tables, the statements and the migrations; only it imports SQLAlchemy and Alembic. It contains no
HTTP, CAS or OAuth logic. Tickets, codes, tokens and cookie values arrive as SHA-256 hashes (`fingerprint`), so a copy
of the database contains no credentials. Times are Unix seconds and always an argument.
"""

from bridge.store.database import StoreFailure
from bridge.store.records import (
    AccessToken,
    AuthorizationCode,
    ClientAccess,
    Grant,
    LogoutDelivery,
    PendingLogin,
    RefreshToken,
    Session,
    SigningKey,
    StoredClient,
    TokenRecords,
    fingerprint,
)
from bridge.store.results import AlreadyConsumed, Consumed, ExpiredLogin, Redeemed, Reused, Unknown, UnknownLogin
from bridge.store.store import NotReady, Store

__all__ = [
    "AccessToken",
    "AlreadyConsumed",
    "AuthorizationCode",
    "ClientAccess",
    "Consumed",
    "ExpiredLogin",
    "Grant",
    "LogoutDelivery",
    "NotReady",
    "PendingLogin",
    "Redeemed",
    "RefreshToken",
    "Reused",
    "Session",
    "SigningKey",
    "Store",
    "StoreFailure",
    "StoredClient",
    "TokenRecords",
    "Unknown",
    "UnknownLogin",
    "fingerprint",
]
