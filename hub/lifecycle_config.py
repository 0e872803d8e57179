"""JupyterHub's configuration of a lab's life: terms and announcement before its start, a warning before its end."""

import os
import sys
from pathlib import Path

from hub.config.hub_toml import read_declared
from hub.config.lifecycle import read_lifecycle
from hub.config.settings import Reader, SettingsError, read_hub
from hub.culler import api
from hub.culler.policy import Lifetimes, Limits
from hub.spawner.base import LifecycleMixin
from hub.web import rendering, terms_handlers
from hub.web.announcements import Announcement
from hub.web.terms import TermsInForce
from hub.web.terms_store import acceptances_in

c = get_config()  # type: ignore[name-defined]  # noqa: F821  # given by JupyterHub

reader = Reader(os.environ)
hub = read_hub(reader)
life = read_lifecycle(reader)
try:
    reader.check()
    lifetimes = Lifetimes(Limits(life.idle_timeout, life.max_age), read_declared(life.declared))
    terms = None
    if life.terms_file and life.notices:
        terms = terms_handlers.TermsGate(TermsInForce(life.notices, life.terms_file), acceptances_in(hub.data_dir))
except SettingsError as fault:
    sys.exit(str(fault))

announcement = Announcement(life.announcement, life.notices)
rendering.init_templates(announcement, life.support_contact)
rendering.add_routes(
    [
        *api.routes_of(lifetimes, life.warning, announcement),
        *([] if terms is None else terms_handlers.routes_of(terms)),
    ]
)
c.JupyterHub.template_paths = [str(Path(__file__).parent / "web" / "templates")]
LifecycleMixin.lifetimes, LifecycleMixin.terms, LifecycleMixin.terms_url = (
    lifetimes,
    terms,
    f"{hub.public_url}/hub/terms",
)

if lifetimes.shortest:
    # Idle labs are those that report no use: the shorter the time, the more often they must report.
    c.Spawner.environment.update({"JUPYTERHUB_ACTIVITY_INTERVAL": str(lifetimes.report_every)})
    limits = [f"--idle-timeout={life.idle_timeout}", f"--max-age={life.max_age}"]
    declared = [f"--declared={life.declared}"] if life.declared else []
    c.JupyterHub.services = [
        {"name": "culling", "command": [sys.executable, "-m", "hub.culler.service", *limits, *declared]},
    ]
    c.JupyterHub.load_roles = [
        {
            "name": "culling",
            "services": ["culling"],
            "scopes": [
                "list:users",
                "read:users:name",
                "read:users:groups",
                "read:users:activity",
                "read:servers",
                "delete:servers",
            ],
        }
    ]
