"""The only user of the CAS server for tests, from its environment."""

import hmac

from cas_server.auth import AuthUser
from django.conf import settings


class KnownUser(AuthUser):
    """User source for django-cas-server."""

    def test_password(self, password: str) -> bool:
        """Return whether the password is correct."""
        user = settings.SITE["user"]
        return self.username == user["name"] and hmac.compare_digest(user["password"].encode(), password.encode())

    def attributs(self) -> dict[str, list[str]]:  # the library's spelling
        """Return the released attributes."""
        user = settings.SITE["user"]
        return dict(user["attributes"]) if self.username == user["name"] else {}
