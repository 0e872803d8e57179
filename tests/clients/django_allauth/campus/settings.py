"""The settings of django-allauth and of its OpenID Connect provider."""

from urllib.parse import urlencode

from site_settings import *  # noqa: F403  as Django's settings do
from site_settings import CLIENT_ID, CLIENT_SECRET, INSTALLED_APPS, ISSUER, MIDDLEWARE

from campus.addresses import HOME

INSTALLED_APPS += [
    "allauth",
    "allauth.account",
    "allauth.socialaccount",
    "allauth.socialaccount.providers.openid_connect",
    "campus",
]
MIDDLEWARE += ["allauth.account.middleware.AccountMiddleware"]
AUTHENTICATION_BACKENDS = ["allauth.account.auth_backends.AuthenticationBackend"]
ACCOUNT_EMAIL_VERIFICATION = "none"
# Signing out of the site leads to the bridge, which asks whether to sign out there as well, and comes back.
ACCOUNT_LOGOUT_REDIRECT_URL = f"{ISSUER}/logout?{urlencode({'client_id': CLIENT_ID, 'post_logout_redirect_uri': HOME})}"
SOCIALACCOUNT_ADAPTER = "campus.adapter.CampusAdapter"
SOCIALACCOUNT_PROVIDERS = {
    "openid_connect": {
        "OAUTH_PKCE_ENABLED": True,
        "SCOPE": ["openid", "profile", "email", "groups"],
        "APPS": [
            {
                "provider_id": "campus",
                "name": "CAS",
                "client_id": CLIENT_ID,
                "secret": CLIENT_SECRET,
                "settings": {"server_url": ISSUER},
            }
        ],
    }
}
