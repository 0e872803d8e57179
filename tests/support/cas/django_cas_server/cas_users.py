"""Whom the tests' CAS server knows: the one user that it was told of at its start."""

import hmac

from cas_server.auth import AuthUser
from django.conf import settings


class KnownUser(AuthUser):
    """What django-cas-server asks of a source of users."""

    def test_password(self, password: str) -> bool:
        """Whether it is theirs."""
        user = settings.SITE["user"]
        return self.username == user["name"] and hmac.compare_digest(user["password"].encode(), password.encode())

    def attributs(self) -> dict[str, list[str]]:  # the library's spelling
        """What is released."""
        user = settings.SITE["user"]
        return dict(user["attributes"]) if self.username == user["name"] else {}
