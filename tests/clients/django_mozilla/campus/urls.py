"""The addresses of mozilla-django-oidc."""

from django.urls import include, path

SIGN_OUT = "oidc_logout"
urlpatterns = [path("oidc/", include("mozilla_django_oidc.urls"))]
