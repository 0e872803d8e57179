"""Ending a session: what was given out under it is revoked, and the clients are told (Back-Channel Logout §2.1)."""

from __future__ import annotations

from bridge.oauth.authority import Authority


def end_session(authority: Authority, sid: str) -> bool:
    """End it now, and queue a logout token for each client that held something under it.

    :returns: False when it had ended before, or never was
    """
    now = authority.now()
    told = []
    ended = authority.store.sessions.end(sid, now=now)
    for client_id, subject in ended or ():
        client = authority.clients.get(client_id)
        if client is not None and client.backchannel_logout_uri is not None:
            told.append((client_id, sid, subject, client.backchannel_logout_uri))
    authority.store.deliveries.queue(told, now=now)
    return ended is not None
