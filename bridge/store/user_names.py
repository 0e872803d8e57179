"""Statements on the names of CAS, which two people may share but for the case."""

from dataclasses import dataclass, replace

from sqlalchemy import bindparam, insert, select, update
from sqlalchemy.exc import IntegrityError

from bridge.store.database import SqlRepository, columns_of, values_of
from bridge.store.schema import user_names


@dataclass(frozen=True, slots=True, kw_only=True)
class UserName:
    """A name of CAS, and what identifies the person who used it first."""

    name: str
    """The name in lower case."""
    subject: str
    """The `sub` of this person."""
    spelling: str
    """The name as CAS sent it."""
    email_hash: str | None
    full_name_hash: str | None

    def is_same_person(self, other: "UserName") -> bool:
        """Return whether a sign-in is of the same person: the same spelling, or nothing known that differs."""
        known = (self.email_hash, self.full_name_hash)
        pairs = zip(known, (other.email_hash, other.full_name_hash), strict=True)
        return self.spelling == other.spelling or all(a == b for a, b in pairs if a and b)


_COLUMNS = columns_of(user_names, UserName)
SAVE_NAME = insert(user_names)
FIND_NAME = select(*_COLUMNS).where(user_names.c.name == bindparam("of_name"))
_EVIDENCE = ("spelling", "email_hash", "full_name_hash")
UPDATE_NAME = (
    update(user_names)
    .where(user_names.c.name == bindparam("of_name"))
    .values({name: bindparam(f"new_{name}") for name in _EVIDENCE})
)


class UserNames(SqlRepository):
    """Names of CAS, each of one person."""

    def record(self, current: UserName) -> UserName:
        """Return the stored name; store this one if it is new, and what changed about the same spelling."""
        stored = self._find(current.name)
        if stored is None:
            try:
                self._execute(SAVE_NAME, values_of(current))
            except IntegrityError:  # another worker stored it
                stored = self._find(current.name)
        if stored is None:
            return current
        is_bare = stored.email_hash is None and stored.full_name_hash is None
        values = {f"new_{name}": getattr(current, name) for name in _EVIDENCE}
        if (is_bare or stored.spelling == current.spelling) and current != replace(stored, subject=current.subject):
            self._execute(UPDATE_NAME, {"of_name": current.name, **values})
        return stored

    def _find(self, name: str) -> UserName | None:
        row = self._one(FIND_NAME, {"of_name": name})
        return None if row is None else UserName(**row._mapping)
