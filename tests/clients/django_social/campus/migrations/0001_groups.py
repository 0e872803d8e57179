"""The groups of the site."""

from django.db import migrations


def make_groups(apps, _):
    groups = apps.get_model("auth", "Group").objects
    groups.create(name="staff")
    groups.create(name="editors")


class Migration(migrations.Migration):
    dependencies = (("auth", "0012_alter_user_first_name_max_length"),)
    operations = (migrations.RunPython(make_groups),)
