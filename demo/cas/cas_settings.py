"""Django settings of the demo CAS server; `serve.py` validates the environment first."""

import os
from pathlib import Path
from urllib.parse import urlsplit

HERE = Path(__file__).parent
PUBLIC = urlsplit(os.environ["CAS_PUBLIC_URL"])

SECRET_KEY = os.environ["CAS_SECRET_KEY"]
DEBUG = False
# The public host, and the hosts at which the bridge validates tickets: `cas` in compose, loopback without Docker.
ALLOWED_HOSTS = [PUBLIC.hostname, "cas", "localhost", "127.0.0.1"]
ROOT_URLCONF = "cas_urls"
WSGI_APPLICATION = None
USE_TZ = True
TIME_ZONE = "UTC"
LANGUAGE_CODE = "en"
DEFAULT_AUTO_FIELD = "django.db.models.AutoField"  # the default of django-cas-server's migrations
DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": str(Path(os.environ["CAS_DATA_DIR"]) / "cas.sqlite3"),
        # Concurrent writes of tickets wait instead of failing.
        "OPTIONS": {"timeout": 20, "transaction_mode": "IMMEDIATE"},
    }
}
INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "cas_server",
]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [HERE / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "cas_users.demo_users",
            ]
        },
    }
]
STATIC_URL = "/cas/static/"
STATICFILES_DIRS = [HERE / "static"]

# Traefik terminates TLS and always overwrites this header.
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
CSRF_TRUSTED_ORIGINS = [f"{PUBLIC.scheme}://{PUBLIC.netloc}"]
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = True
SESSION_EXPIRE_AT_BROWSER_CLOSE = True

CAS_AUTH_CLASS = "cas_users.DemoUser"
CAS_NEW_VERSION_HTML_WARNING = False  # the check would contact a package index on every page
CAS_NEW_VERSION_EMAIL_WARNING = False
CAS_SLO_TIMEOUT = 5
CAS_LOGIN_TEMPLATE = "demo/login.html"
CAS_LOGGED_TEMPLATE = "demo/logged.html"
CAS_LOGOUT_TEMPLATE = "demo/logout.html"
CAS_WARN_TEMPLATE = "demo/warn.html"

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "filters": {"no_tickets": {"()": "cas_log.TicketFilter"}},
    "formatters": {"line": {"format": "%(asctime)s %(levelname)s %(name)s: %(message)s"}},
    "handlers": {"stderr": {"class": "logging.StreamHandler", "filters": ["no_tickets"], "formatter": "line"}},
    "root": {"handlers": ["stderr"], "level": "INFO"},
    # Django's default handlers would log the same lines unfiltered.
    "loggers": {"django": {"handlers": [], "propagate": True}, "django.server": {"propagate": True}},
}
