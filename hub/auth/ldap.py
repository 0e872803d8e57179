"""LDAP authentication and revalidation against the directory.

`ldapauthenticator` verifies the password. The search account (or an anonymous bind) reads the user's entry and groups,
at sign-in and on revalidation, because the hub stores no passwords. If the search account may not read, all sign-ins
fail at once; otherwise groups would silently become outdated.
"""

import asyncio
from typing import Any

import ldap3
from ldap3.core.exceptions import LDAPBindError, LDAPException
from ldap3.utils.conv import escape_filter_chars
from ldap3.utils.dn import escape_rdn
from ldapauthenticator import LDAPAuthenticator
from ldapauthenticator.ldapauthenticator import TlsStrategy
from tornado import web
from traitlets import Unicode

from hub.auth.refresh import AuthModel, GroupsAuthenticator, Outcome, Revalidation
from passerelle_common.i18n import gettext_noop

CONNECT_TIMEOUT = 5  # seconds
RESPONSE_TIMEOUT = 10  # seconds
NO_ATTRIBUTES = "1.1"  # RFC 4511 §4.5.1.8
SUCCESS, NO_SUCH_OBJECT = 0, 32  # result codes of RFC 4511 appendix A
LOGIN = "ldap"
"""Key in the stored auth state for the name that the user typed."""
UNAVAILABLE = gettext_noop("The directory that verifies passwords does not respond. Try again in a few minutes.")


class DirectoryError(Exception):
    """No usable response from the directory; the message is for the log."""


class LdapAuthenticator(GroupsAuthenticator, LDAPAuthenticator):  # type: ignore[misc]  # no types there
    """LDAP authenticator."""

    group_base = Unicode(help="The search base for groups.").tag(config=True)
    group_name_attribute = Unicode("cn", help="The attribute with the name of a group.").tag(config=True)

    def get_connection(self, userdn: str | None, password: str | None) -> ldap3.Connection | None:
        """Connect with timeouts; follow no referral, because TLS is not verified for its target."""
        server = ldap3.Server(
            self.server_address,
            port=self.server_port,
            use_ssl=self.tls_strategy == TlsStrategy.on_connect,
            tls=ldap3.Tls(**self.tls_kwargs),
            connect_timeout=CONNECT_TIMEOUT,
            get_info=ldap3.NONE,
        )
        starts_tls = self.tls_strategy == TlsStrategy.before_bind
        try:
            return ldap3.Connection(
                server,
                user=userdn,
                password=password,
                auto_bind=ldap3.AUTO_BIND_TLS_BEFORE_BIND if starts_tls else ldap3.AUTO_BIND_NO_TLS,
                receive_timeout=RESPONSE_TIMEOUT,
                auto_referrals=False,
                check_names=False,  # otherwise, each connection reads the whole schema first
                read_only=True,
            )
        except LDAPBindError:
            return None

    async def verify_password(self, handler: Any, data: dict[str, str]) -> AuthModel | None:
        """Verify the password, then read entry and groups, in a thread because ldap3 blocks."""
        try:
            verified = await asyncio.to_thread(
                lambda: asyncio.run(super(GroupsAuthenticator, self).authenticate(handler, data))
            )
            if verified is None:
                return None
            groups = await asyncio.to_thread(self.find_groups, verified["name"])
        except (LDAPException, DirectoryError, OSError) as error:
            self.log.error("No response from the directory: %s", error)
            raise web.HTTPError(503, UNAVAILABLE) from None
        if groups is None:
            self.log.error(
                "Rejected %s: the search account cannot find the entry; see AUTH_LDAP_SEARCH_USER", data["username"]
            )
            return None
        login = verified["name"]
        return self.build_auth_model(self.normalize_username(login), groups, {LOGIN: login})

    async def revalidate(self, user: Any, auth_state: dict[str, Any]) -> Revalidation:
        """Read the current entry and groups."""
        login = auth_state.get(LOGIN)
        if not login:
            return Revalidation(Outcome.UNCERTAIN, reason="signed in with another method")
        try:
            groups = await asyncio.to_thread(self.find_groups, login)
        except (LDAPException, DirectoryError, OSError) as error:
            return Revalidation(Outcome.UNAVAILABLE, reason=f"directory: {error}")
        if groups is None:
            return Revalidation(Outcome.REVOKED, reason="no such entry in the directory")
        return Revalidation(Outcome.CONFIRMED, self.build_auth_model(user.name, groups, {LOGIN: login}))

    def find_groups(self, login: str) -> frozenset[str] | None:
        """Return the groups of a login name, or None unless exactly one entry matches.

        Raises:
            DirectoryError: The directory rejects the search account or a search.
            LDAPException: The directory does not respond.
        """
        connection = self.get_connection(self.lookup_dn_search_user, self.lookup_dn_search_password)
        if connection is None:
            raise DirectoryError("it rejects the search account; see AUTH_LDAP_SEARCH_USER and AUTH_SECRET_FILE")
        with connection:
            searches = self._user_searches(login)
            found = [entry for args in searches for entry in search(connection, *args, NO_ATTRIBUTES)]
            if len(found) != 1:
                return None
            dn: str = found[0]["dn"]
            if not self.group_base:
                return frozenset()
            group_filter = self.group_search_filter.format(
                userdn=escape_filter_chars(dn), uid=escape_filter_chars(login)
            )
            entries = search(connection, self.group_base, group_filter, ldap3.SUBTREE, self.group_name_attribute)
            values = (
                value for group in entries for value in group["raw_attributes"].get(self.group_name_attribute, ())
            )
            return frozenset(value.decode("utf-8", "replace") for value in values)

    def _user_searches(self, login: str) -> list[tuple[str, str, str]]:
        """Return the base, filter and scope of each search for a login name."""
        if self.lookup_dn:
            return [(self.user_search_base, f"({self.user_attribute}={escape_filter_chars(login)})", ldap3.SUBTREE)]
        return [
            (template.format(username=escape_rdn(login)), "(objectClass=*)", ldap3.BASE)
            for template in self.bind_dn_template
        ]


def search(
    connection: ldap3.Connection, base: str, search_filter: str, scope: str, attribute: str
) -> list[dict[str, Any]]:
    """Return the entries found, or none if the base does not exist.

    Raises:
        DirectoryError: The result is not a success. A partial list of groups is not returned.
    """
    connection.search(base, search_filter, search_scope=scope, attributes=[attribute])
    result = connection.result
    if result["result"] not in (SUCCESS, NO_SUCH_OBJECT):
        raise DirectoryError(f"a search below {base} returned {result['description']}")
    return [entry for entry in connection.response or () if entry["type"] == "searchResEntry"]
