"""Dates as CAS servers write them. Pure."""

from __future__ import annotations

import re
from datetime import UTC, datetime

# Apereo's JSON has 1795432113.693936965 where its XML has a date. Thirteen digits would be something else.
_SECONDS = re.compile(r"([0-9]{9,10})(?:\.[0-9]+)?")


def parse_unix_seconds(text: str, *, zone_is_utc: bool = False) -> int | None:
    """Unix seconds, or None for what cannot be read: servers write many forms.

    :param zone_is_utc: what is meant without an offset, as SAML says (SAML 1.1 core §1.2.2); else it could be any hour
    """
    if number := _SECONDS.fullmatch(text):
        return int(number[1])
    # Java adds the zone's name, as in 2019-09-05T12:40:08.014Z[UTC]; the offset before it says all.
    text = text.partition("[")[0]
    try:
        moment = datetime.fromisoformat(text)
        if moment.tzinfo is None and zone_is_utc:
            moment = moment.replace(tzinfo=UTC)
        return int(moment.timestamp()) if moment.tzinfo and moment.year >= 1970 else None
    except (ValueError, OverflowError):
        return None
