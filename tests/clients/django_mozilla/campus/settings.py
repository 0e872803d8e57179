"""The settings of mozilla-django-oidc."""

from site_settings import *  # noqa: F403  as Django's settings do
from site_settings import CLIENT_ID, CLIENT_SECRET, INSTALLED_APPS, ISSUER, MIDDLEWARE

INSTALLED_APPS += ["mozilla_django_oidc"]
MIDDLEWARE += ["mozilla_django_oidc.middleware.SessionRefresh"]
AUTHENTICATION_BACKENDS = ["campus.users.CampusUsers"]
LOGIN_URL = "/oidc/authenticate/"

OIDC_RP_CLIENT_ID = CLIENT_ID
OIDC_RP_CLIENT_SECRET = CLIENT_SECRET
OIDC_RP_SCOPES = "openid profile email groups"
OIDC_RP_SIGN_ALGO = "RS256"
OIDC_USE_PKCE = True
OIDC_OP_AUTHORIZATION_ENDPOINT = f"{ISSUER}/authorize"
OIDC_OP_TOKEN_ENDPOINT = f"{ISSUER}/token"
OIDC_OP_USER_ENDPOINT = f"{ISSUER}/userinfo"
OIDC_OP_JWKS_ENDPOINT = f"{ISSUER}/.well-known/jwks.json"
OIDC_STORE_ID_TOKEN = True
OIDC_OP_LOGOUT_URL_METHOD = "campus.users.logout_url"
OIDC_RENEW_ID_TOKEN_EXPIRY_SECONDS = 1  # 15 minutes, were it not for the tests
