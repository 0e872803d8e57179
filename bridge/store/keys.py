"""Statements on the signing keys."""

from collections.abc import Sequence

from sqlalchemy import bindparam, delete, insert, select
from sqlalchemy.exc import IntegrityError

from bridge.store.database import SqlRepository, columns_of, values_of
from bridge.store.records import SigningKey
from bridge.store.schema import signing_keys

_KEY = columns_of(signing_keys, SigningKey)

ADD_KEY = insert(signing_keys)
NEWEST_KEY = (
    select(signing_keys.c.kid, signing_keys.c.number)
    .where(signing_keys.c.algorithm == bindparam("of_algorithm"))
    .order_by(signing_keys.c.number.desc())
    .limit(1)
)
ALL_KEYS = select(*_KEY).order_by(signing_keys.c.algorithm.desc(), signing_keys.c.number.desc())
REMOVE_KEY = delete(signing_keys).where(signing_keys.c.kid == bindparam("of_kid"))


class Keys(SqlRepository):
    """Signing keys."""

    def add(self, key: SigningKey, *, after: str | None) -> bool:
        """Add a key if the newest of its algorithm is still `after` (a kid); return False otherwise."""
        newest = self._one(NEWEST_KEY, {"of_algorithm": key.algorithm})
        if (None if newest is None else newest.kid) != after:
            return False
        try:
            self._execute(ADD_KEY, values_of(key) | {"number": 1 if newest is None else newest.number + 1})
        except IntegrityError:  # another worker has used this number
            return False
        return True

    def all(self) -> Sequence[SigningKey]:
        """Return all keys, for each algorithm the newest first."""
        return [SigningKey(**row._mapping) for row in self._all(ALL_KEYS, {})]

    def remove(self, kid: str) -> None:
        """Delete a key."""
        self._execute(REMOVE_KEY, {"of_kid": kid})
