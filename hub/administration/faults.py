"""What ends a command with one sentence."""


class AdministrationError(Exception):
    """What happened, why, and what to do next."""
