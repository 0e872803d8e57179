"""Statements on the counts of failed attempts, which all workers and hosts share."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from sqlalchemy import bindparam, case, select
from sqlalchemy.dialects import postgresql, sqlite

from bridge.store.database import NOW, SqlRepository
from bridge.store.schema import failures

WINDOW_SECONDS = 60

# Not a list of any length, which SQLAlchemy would write into the statement at each call.
COUNT_FAILURES = select(failures.c.counter, failures.c.number).where(
    failures.c.counter.in_([bindparam("first"), bindparam("last")]), failures.c.expires_at > NOW
)


def _record(insert: Callable[[Any], Any]) -> Any:
    """Return a statement that adds one to a counter, which starts again when its window has ended."""
    added = insert(failures).values(counter=bindparam("counter"), number=1, expires_at=bindparam("until"))
    next_number = case((failures.c.expires_at > NOW, failures.c.number + 1), else_=1)
    return added.on_conflict_do_update(
        index_elements=[failures.c.counter], set_={"number": next_number, "expires_at": added.excluded.expires_at}
    ).returning(failures.c.number)


_RECORD: Mapping[str, Any] = {"sqlite": _record(sqlite.insert), "postgresql": _record(postgresql.insert)}


class Failures(SqlRepository):
    """Counts of failed attempts in the present minute."""

    def count(self, first: str, last: str | None = None, *, now: int) -> Mapping[str, int]:
        """Return the numbers of one or two counters that have any."""
        rows = self._all(COUNT_FAILURES, {"first": first, "last": last or first, "now": now})
        return {row.counter: row.number for row in rows}

    def record(self, counters: Iterable[str], *, now: int) -> Mapping[str, int]:
        """Add one to each counter, and return the numbers."""
        until = now - now % WINDOW_SECONDS + WINDOW_SECONDS
        with self._engine.begin() as connection:
            return {  # in one order, so that two transactions cannot deadlock
                counter: connection.execute(
                    _RECORD[self._engine.dialect.name], {"counter": counter, "until": until, "now": now}
                ).scalar_one()
                for counter in sorted(counters)
            }
