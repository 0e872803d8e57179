"""Prepares the database and serves the site: `serve.py PORT`."""

import os
import sys

import django
from django.core.management import call_command

os.environ["DJANGO_SETTINGS_MODULE"] = "campus.settings"
django.setup()
call_command("migrate", verbosity=0, interactive=False)
call_command("runserver", f"localhost:{sys.argv[1]}", use_reloader=False)
