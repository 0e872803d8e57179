"""URLs of the demo CAS server."""

from django.http import HttpRequest, HttpResponse
from django.urls import include, path
from django.views.generic import RedirectView


def healthz(_request: HttpRequest) -> HttpResponse:
    """Respond to health checks without session or database."""
    return HttpResponse("ok\n", content_type="text/plain")


urlpatterns = [
    path("", RedirectView.as_view(url="/cas/login")),
    path("healthz", healthz),
    path("cas/", include("cas_server.urls", namespace="cas_server")),
]
