"""Signing in with a password that an LDAP directory knows, and asking the directory again while somebody is signed in.

`ldapauthenticator` proves the password. The person's entry and groups are read by the search account (or anonymously),
at the sign-in and ever after alike, because nobody keeps passwords: a directory that does not let that account read
refuses everybody at once, instead of freezing everybody's groups.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any

import ldap3
from ldap3.core.exceptions import LDAPBindError, LDAPException
from ldap3.utils.conv import escape_filter_chars
from ldap3.utils.dn import escape_rdn
from ldapauthenticator import LDAPAuthenticator
from ldapauthenticator.ldapauthenticator import TlsStrategy
from tornado import web
from traitlets import Unicode

from hub.auth.groups import GroupsAuthenticator
from hub.auth.refresh import Finding, Model, Verdict

CONNECT_WITHIN = 5  # seconds
ANSWER_WITHIN = 10
NO_ATTRIBUTE = "1.1"  # RFC 4511 §4.5.1.8
SUCCESS, NO_SUCH_OBJECT = 0, 32  # result codes
DIRECTORY = "ldap"


class DirectoryError(Exception):
    """The directory gave no answer that can be used; the text is for the log."""


@dataclass(frozen=True)
class Entry:
    """A person in the directory."""

    dn: str
    groups: frozenset[str]


class LdapAuthenticator(GroupsAuthenticator, LDAPAuthenticator):  # type: ignore[misc]  # no types there
    """LDAP."""

    group_base = Unicode(help="The branch that holds the groups.").tag(config=True)
    group_name_attribute = Unicode("cn", help="What of a group's entry is its name.").tag(config=True)

    def get_connection(self, userdn: str | None, password: str | None) -> ldap3.Connection | None:
        """As the base class, with time limits and without following referrals to where nobody checked TLS."""
        server = ldap3.Server(
            self.server_address,
            port=self.server_port,
            use_ssl=self.tls_strategy == TlsStrategy.on_connect,
            tls=ldap3.Tls(**self.tls_kwargs),
            connect_timeout=CONNECT_WITHIN,
            get_info=ldap3.NONE,
        )
        starts_tls = self.tls_strategy == TlsStrategy.before_bind
        try:
            return ldap3.Connection(
                server,
                user=userdn,
                password=password,
                auto_bind=ldap3.AUTO_BIND_TLS_BEFORE_BIND if starts_tls else ldap3.AUTO_BIND_NO_TLS,
                receive_timeout=ANSWER_WITHIN,
                auto_referrals=False,
                check_names=False,  # else every connection begins by reading the whole schema
                read_only=True,
            )
        except LDAPBindError:
            return None

    async def authenticate(self, handler: Any, data: dict[str, str]) -> Model | None:
        """Prove the password, then read entry and groups; in a thread, because ldap3 waits."""
        try:
            proven = await asyncio.to_thread(
                lambda: asyncio.run(super(GroupsAuthenticator, self).authenticate(handler, data))
            )
            if proven is None:
                return None
            entry = await asyncio.to_thread(self.look_up, proven["name"])
        except (LDAPException, DirectoryError, OSError) as error:
            self.log.error("The directory did not answer: %s", error)
            raise web.HTTPError(
                503, "The directory that knows the passwords does not answer. Try again in a few minutes."
            ) from None
        if entry is None:
            self.log.error(
                "%s has a password but the search account finds no entry: see AUTH_LDAP_SEARCH_USER", data["username"]
            )
            return None
        name = self.normalize_username(proven["name"])
        return await self.note_refusal(handler, self.model_of(name, entry.groups, {DIRECTORY: proven["name"]}))

    async def ask_again(self, user: Any, auth_state: dict[str, Any]) -> Finding:
        """Read the entry and the groups of now."""
        login = auth_state.get(DIRECTORY)
        if not login:
            return Finding(Verdict.UNCERTAIN, reason="signed in another way before")
        try:
            entry = await asyncio.to_thread(self.look_up, login)
        except (LDAPException, DirectoryError, OSError) as error:
            return Finding(Verdict.UNANSWERED, reason=f"directory: {error}")
        if entry is None:
            return Finding(Verdict.GONE, reason="no such entry in the directory")
        return Finding(Verdict.CONFIRMED, self.model_of(user.name, entry.groups, {DIRECTORY: login}))

    def look_up(self, login: str) -> Entry | None:
        """The entry of the person who signs in by this name; None if there is none, or more than one.

        :raises DirectoryError: when the search account is refused
        :raises LDAPException: when the directory does not answer
        """
        connection = self.get_connection(self.lookup_dn_search_user, self.lookup_dn_search_password)
        if connection is None:
            raise DirectoryError("it refuses the search account: see AUTH_LDAP_SEARCH_USER and AUTH_SECRET_FILE")
        with connection:
            found = [one for place in self._places(login) for one in search(connection, *place, NO_ATTRIBUTE)]
            if len(found) != 1:
                return None
            dn: str = found[0]["dn"]
            if not self.group_base:
                return Entry(dn, frozenset())
            wanted = self.group_search_filter.format(userdn=escape_filter_chars(dn), uid=escape_filter_chars(login))
            groups = search(connection, self.group_base, wanted, ldap3.SUBTREE, self.group_name_attribute)
            values = (value for group in groups for value in group["raw_attributes"].get(self.group_name_attribute, ()))
            return Entry(dn, frozenset(value.decode("utf-8", "replace") for value in values))

    def _places(self, login: str) -> list[tuple[str, str, str]]:
        if self.lookup_dn:
            wanted = f"({self.user_attribute}={escape_filter_chars(login)})"
            return [(self.user_search_base, wanted, ldap3.SUBTREE)]
        return [
            (template.format(username=escape_rdn(login)), "(objectClass=*)", ldap3.BASE)
            for template in self.bind_dn_template
        ]


def search(connection: ldap3.Connection, base: str, wanted: str, scope: str, attribute: str) -> list[dict[str, Any]]:
    """The entries; none where there is no such place.

    :raises DirectoryError: when the directory says anything but what it found: half a list of groups is none
    """
    connection.search(base, wanted, search_scope=scope, attributes=[attribute])
    result = connection.result
    if result["result"] not in (SUCCESS, NO_SUCH_OBJECT):
        raise DirectoryError(f"a search below {base} ended with {result['description']}")
    return [one for one in connection.response or () if one["type"] == "searchResEntry"]
