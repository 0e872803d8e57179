"""Where the site is."""

import os

HOME = os.environ["HOME_URL"]
