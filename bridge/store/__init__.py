"""Storage of everything that must survive a restart, behind the `Store` interface.

This package owns the tables, the statements and the migrations; only it imports SQLAlchemy and Alembic. It contains no
HTTP, CAS or OAuth logic. Tickets, codes, tokens and cookie values arrive as SHA-256 hashes (`fingerprint`), so a copy
of the database contains no credentials. Times are Unix seconds and always an argument.
"""

from bridge.store.database import StoreFailure, required_connections, unavailability
from bridge.store.records import (
    AccessToken,
    AlreadyConsumed,
    AuthorizationCode,
    ClientAccess,
    Consumed,
    ExpiredLogin,
    Grant,
    LogoutDelivery,
    PendingLogin,
    Redeemed,
    Redemption,
    RefreshToken,
    Reused,
    Session,
    SigningKey,
    StoredClient,
    TokenRecords,
    Unknown,
    UnknownLogin,
    fingerprint,
)
from bridge.store.store import NotReady, Store
from bridge.store.user_names import UserName

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
    "Redemption",
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
    "UserName",
    "fingerprint",
    "required_connections",
    "unavailability",
]
