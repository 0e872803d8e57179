"""What `passerelle clients` says beside what was asked for, because somebody may not have meant it."""

from __future__ import annotations

from urllib.parse import urlsplit

import click

from bridge.oauth.client_store import ClientStore
from bridge.oauth.clients import sector_of
from bridge.settings import ClientSettings, is_loopback


def note(sentence: str) -> None:
    """Apart from standard output, which may be read by a script."""
    click.echo(f"Note: {sentence}", err=True)


def note_same_address(client: ClientSettings, store: ClientStore) -> None:
    """Perhaps somebody ran the command twice. Addresses of loopback are everybody's."""
    web = {uri for uri in client.redirect_uris if not is_loopback(urlsplit(uri).hostname)}
    for other in store.all():
        if other.settings is not None and other.client_id != client.client_id:
            for uri in sorted(web.intersection(other.settings.redirect_uris)):
                note(f"{other.client_id} has the address {uri} as well.")


def note_pairwise(settings: ClientSettings) -> None:
    """Of a client that hides who people are, and is told it all the same."""
    if settings.subject_type == "pairwise" and {"profile", "email"} & set(settings.scopes):
        note(
            "the scopes profile and email tell who somebody is; a pairwise sub alone does not hide it from this client."
        )


def note_other_subjects(before: ClientSettings, after: ClientSettings) -> None:
    """By the host of the first redirect URI, where nothing else says what pairwise subjects are shared by."""
    was, is_now = _sector(before), _sector(after)
    if was == is_now:
        return
    kept = f"; --sector-identifier {was} would keep the one that it knows them by" if was and is_now else ""
    note(f"{after.client_id} sees its users under another sub from now on{kept}.")


def _sector(settings: ClientSettings) -> str | None:
    return sector_of(settings) if settings.subject_type == "pairwise" else None
