"""What the children of `command_forks` find imported already."""

import bridge.check.run
import bridge.serve  # noqa: F401  which only `serve` imports
import tests.support.bridge.command_forks  # noqa: F401  and the commands with it
