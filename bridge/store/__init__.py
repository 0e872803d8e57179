"""What must survive a restart, behind one interface of intentions.

Owns the tables, every statement on them and the migrations; SQLAlchemy Core and alembic live here only. Knows
nothing of HTTP, CAS or OAuth beyond the names of its records. Tickets, codes, tokens and cookie values arrive here as
SHA-256 hashes (`fingerprint`), so that a copy of the database signs nobody in. Times are Unix seconds and always an
argument.
"""

from bridge.store.database import StoreFailure
from bridge.store.interface import Store
from bridge.store.records import (
    AccessToken,
    AuthorizationCode,
    ClientAccess,
    Grant,
    LogoutDelivery,
    Minted,
    PendingLogin,
    RefreshToken,
    Session,
    SigningKey,
    StoredClient,
    fingerprint,
)
from bridge.store.results import AlreadyConsumed, Consumed, ExpiredLogin, UnknownLogin
from bridge.store.sql import NotReady, SqlStore

__all__ = [
    "AccessToken",
    "AlreadyConsumed",
    "AuthorizationCode",
    "ClientAccess",
    "Consumed",
    "ExpiredLogin",
    "Grant",
    "LogoutDelivery",
    "Minted",
    "NotReady",
    "PendingLogin",
    "RefreshToken",
    "Session",
    "SigningKey",
    "SqlStore",
    "Store",
    "StoreFailure",
    "StoredClient",
    "UnknownLogin",
    "fingerprint",
]
