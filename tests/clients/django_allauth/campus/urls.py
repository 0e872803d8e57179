"""The addresses of django-allauth."""

from django.urls import include, path

SIGN_OUT = "account_logout"
urlpatterns = [path("accounts/", include("allauth.urls"))]
