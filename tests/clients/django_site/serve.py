"""Prepare the database and serve the site: `serve.py PORT`, in the folder of the site."""

import os
import sys

import django
from django.core.management import call_command

sys.path.insert(0, os.getcwd())  # noqa: PTH109  as `python manage.py` does
os.environ["DJANGO_SETTINGS_MODULE"] = "campus.settings"
django.setup()
call_command("migrate", verbosity=0, interactive=False)

from django.contrib.auth.models import Group  # noqa: E402  needs the settings

for name in ("staff", "editors"):  # groups that must exist before the first sign-in
    Group.objects.create(name=name)
call_command("runserver", f"localhost:{sys.argv[1]}", use_reloader=False)
