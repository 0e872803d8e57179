"""URLs of the CAS server for tests."""

from django.conf import settings
from django.urls import include, path

MAMA = settings.SITE["software"] == "mama_cas"
urlpatterns = [path("cas/", include("mama_cas.urls" if MAMA else ("cas_server.urls", "cas_server")))]
