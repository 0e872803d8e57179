"""The settings of social-auth-app-django and of the OpenID Connect backend of social-auth-core."""

from site_settings import *  # noqa: F403  as Django's settings do
from site_settings import CLIENT_ID, CLIENT_SECRET, INSTALLED_APPS, ISSUER
from social_core.pipeline import DEFAULT_AUTH_PIPELINE

INSTALLED_APPS += ["social_django", "campus"]
AUTHENTICATION_BACKENDS = [
    "social_core.backends.open_id_connect.OpenIdConnectAuth",
    "django.contrib.auth.backends.ModelBackend",
]
LOGIN_URL = "/login/oidc/"

SOCIAL_AUTH_OIDC_OIDC_ENDPOINT = ISSUER
SOCIAL_AUTH_OIDC_KEY = CLIENT_ID
SOCIAL_AUTH_OIDC_SECRET = CLIENT_SECRET
SOCIAL_AUTH_OIDC_USE_PKCE = True
SOCIAL_AUTH_OIDC_SCOPE = ["groups", "offline_access"]
# Into groups of the site that are there already: by name at CAS, by name here.
SOCIAL_AUTH_OIDC_GROUPS_KEY = "groups"
SOCIAL_AUTH_OIDC_GROUPS_MAP = {"staff": ["staff"], "jupyter-admins": ["editors"]}
SOCIAL_AUTH_PIPELINE = (*DEFAULT_AUTH_PIPELINE, "social_core.pipeline.user.sync_groups")
