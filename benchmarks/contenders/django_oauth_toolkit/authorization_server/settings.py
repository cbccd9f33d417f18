"""Settings by Django's deployment checklist and the toolkit's documentation, for machine clients only."""

import os

SECRET_KEY = os.environ["SECRET_KEY"]
DEBUG = False
ALLOWED_HOSTS = ["127.0.0.1"]
ROOT_URLCONF = "authorization_server.urls"
WSGI_APPLICATION = "authorization_server.wsgi.application"
USE_TZ = True

INSTALLED_APPS = ["django.contrib.auth", "django.contrib.contenttypes", "oauth2_provider"]
# Machine clients need no sessions, forms or messages.
MIDDLEWARE = ["django.middleware.security.SecurityMiddleware"]

DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.postgresql",
        "HOST": os.environ["PGHOST"],
        "PORT": os.environ["PGPORT"],
        "NAME": os.environ["PGDATABASE"],
        "USER": os.environ["PGUSER"],
        "PASSWORD": os.environ["PGPASSWORD"],
        # Each thread keeps its connection and its prepared statements.
        "CONN_MAX_AGE": None,
        "OPTIONS": {"server_side_binding": True, "prepare_threshold": 5},
    }
}

OAUTH2_PROVIDER = {
    "SCOPES": {
        "country.read": "Read countries",
        "customer.read": "Read customers",
        "customer.write": "Change customers",
    },
    "ACCESS_TOKEN_EXPIRE_SECONDS": 4 * 60 * 60,
    "COMPLIANT_BCP_RFC9700_TOKEN_STORAGE": True,
}

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "handlers": {"console": {"class": "logging.StreamHandler"}},
    "root": {"handlers": ["console"], "level": "WARNING"},
}
