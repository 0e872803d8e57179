"""Dates as CAS servers write them. Pure."""

from __future__ import annotations

from datetime import UTC, datetime


def unix_seconds(text: str, *, zone_is_utc: bool = False) -> int | None:
    """Unix seconds, or None for what cannot be read: servers write many forms.

    :param zone_is_utc: what is meant without an offset, as SAML says (SAML 1.1 core §1.2.2); else it could be any hour
    """
    # Java adds the zone's name, as in 2019-09-05T12:40:08.014Z[UTC]; the offset before it says all.
    text = text.partition("[")[0]
    try:
        moment = datetime.fromisoformat(text)
        if moment.tzinfo is None and zone_is_utc:
            moment = moment.replace(tzinfo=UTC)
        return int(moment.timestamp()) if moment.tzinfo and moment.year >= 1970 else None
    except (ValueError, OverflowError):
        return None
