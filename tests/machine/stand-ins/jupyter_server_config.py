"""What the official image sets too: reachable from outside the container, no browser started in it."""

c = get_config()  # noqa: F821 - Jupyter puts it there
c.ServerApp.ip = "0.0.0.0"
c.ServerApp.open_browser = False
