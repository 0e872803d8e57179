"""Attacks on the server from inside a lab, by name: a program for the lab and the word that it prints if it fails."""

from tests.support.docker.deployment import Deployment

ATTACKS = {
    "system-call-outside-seccomp": (
        "print(open('/proc/self/status').read().split('Seccomp:')[1].split()[0])",
        "2",  # filtered
    ),
    "mount": (
        "import ctypes, os\n"
        "libc = ctypes.CDLL(None, use_errno=True)\n"
        "print('mounted' if libc.mount(b'none', b'/mnt', b'tmpfs', 0, None) == 0 else os.strerror(ctypes.get_errno()))",
        "Operation not permitted",
    ),
    "docker-socket": (
        "import os; print([path for path in ('/var/run/docker.sock', '/run/guard') if os.path.exists(path)])",
        "[]",
    ),
    "full-tmp": (
        "import os\n"
        "try:\n"
        "    with open('/tmp/filler', 'wb') as stream:\n"
        "        for _ in range(1025): stream.write(bytes(2**20))\n"
        "    print('filled')\n"
        "except OSError as error: print(error.strerror)\n"
        "finally: os.unlink('/tmp/filler')",
        "No space left on device",
    ),
}


def attack(deployment: Deployment, user: str, program: str) -> str:
    """Run a program in a user's lab and return the last line that it prints."""
    return deployment.docker("exec", f"{deployment.project}-lab-{user}", "python3", "-c", program).splitlines()[-1]
