"""Date formats of CAS servers."""

from __future__ import annotations

import re
from datetime import UTC, datetime

# Apereo's JSON has 1795432113.693936965 where its XML has a date. Thirteen digits would be milliseconds.
_SECONDS = re.compile(r"([0-9]{9,10})(?:\.[0-9]+)?")


def parse_unix_seconds(text: str, *, zone_is_utc: bool = False) -> int | None:
    """Convert a date of CAS to Unix seconds.

    Args:
        text: Unix seconds or an ISO 8601 date.
        zone_is_utc: Read a date without an offset as UTC, as SAML requires (SAML 1.1 core §1.2.2).

    Returns:
        None if the format is unknown, or the date has no offset.
    """
    if number := _SECONDS.fullmatch(text):
        return int(number[1])
    # Java appends the name of the zone: 2019-09-05T12:40:08.014Z[UTC]. The offset before it is enough.
    text = text.partition("[")[0]
    try:
        moment = datetime.fromisoformat(text)
        if moment.tzinfo is None and zone_is_utc:
            moment = moment.replace(tzinfo=UTC)
        return int(moment.timestamp()) if moment.tzinfo and moment.year >= 1970 else None
    except (ValueError, OverflowError):
        return None
