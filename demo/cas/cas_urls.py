"""What the demo's CAS server answers to."""

from django.http import HttpRequest, HttpResponse
from django.urls import include, path
from django.views.generic import RedirectView


def healthz(_request: HttpRequest) -> HttpResponse:
    """Alive; touches neither session nor database."""
    return HttpResponse("ok\n", content_type="text/plain")


urlpatterns = [
    path("", RedirectView.as_view(url="/cas/login")),
    path("healthz", healthz),
    path("cas/", include("cas_server.urls", namespace="cas_server")),
]
