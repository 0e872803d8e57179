"""The only user of the CAS server for tests, from its environment, and the registered services of mama_cas."""

import hmac
import re
from typing import Any, ClassVar

from django.conf import settings

if settings.SITE["software"] == "cas_server":
    from cas_server.auth import AuthUser
else:
    AuthUser = object


def attributes_of_user(user: Any, service: str) -> dict[str, list[str]]:
    """Return the attributes that mama_cas releases."""
    return dict(settings.SITE["user"]["attributes"])


class Registry:
    """Service backend of mama_cas."""

    services: ClassVar[dict[str, tuple[str, str]]] = {}  # name: pattern and logout URL

    def _find(self, service: str) -> tuple[str, str] | None:
        return next((entry for entry in self.services.values() if re.match(entry[0], service)), None)

    def service_allowed(self, service: str) -> bool:
        """Return whether a service is registered."""
        return self._find(service) is not None

    logout_allowed = service_allowed

    def get_callbacks(self, service: str) -> list[str]:
        """Return the sources of attributes."""
        return ["cas_users.attributes_of_user"]

    def get_logout_url(self, service: str) -> str | None:
        """Return the logout URL, or None to use the service URL."""
        entry = self._find(service)
        return entry[1] or None if entry else None

    def proxy_allowed(self, service: str) -> bool:
        """Allow no proxies."""
        return False


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
