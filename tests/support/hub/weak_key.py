"""Repositories that open quickly: restic's key derivation takes half a second by design, for each command.

The format is in restic's documentation, "Keys, Encryption and MAC": AES-256-CTR with a Poly1305-AES tag.
"""

import base64
import hashlib
import json
import os
import subprocess
from functools import cache
from pathlib import Path
from tempfile import mkdtemp

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.poly1305 import Poly1305

PASSWORD = "correct horse"


@cache
def quick_repository(restic: Path) -> Path:
    """Create an empty repository once, and weaken the key derivation of its key."""
    folder = Path(mkdtemp(prefix="restic-"))
    environment = {**os.environ, "RESTIC_PASSWORD": PASSWORD, "RESTIC_REPOSITORY": str(folder)}
    subprocess.run([restic, "init", "--no-cache"], env=environment, capture_output=True, check=True)
    (path,) = (folder / "keys").iterdir()
    key = json.loads(path.read_text())
    salt = base64.b64decode(key["salt"])
    plain = _crypt(_derive(salt, key["N"], key["r"], key["p"]), base64.b64decode(key["data"])[:-16])
    key |= {"N": 2, "r": 1, "p": 1}
    key["data"] = base64.b64encode(_seal(_derive(salt, 2, 1, 1), plain)).decode()
    content = json.dumps(key).encode()
    path.unlink()
    (path.with_name(hashlib.sha256(content).hexdigest())).write_bytes(content)
    return folder


def _derive(salt: bytes, n: int, r: int, p: int) -> bytes:
    return hashlib.scrypt(PASSWORD.encode(), salt=salt, n=n, r=r, p=p, dklen=64, maxmem=1 << 27)


def _crypt(key: bytes, data: bytes) -> bytes:
    return Cipher(algorithms.AES(key[:32]), modes.CTR(data[:16])).decryptor().update(data[16:])


def _seal(key: bytes, plain: bytes) -> bytes:
    nonce = os.urandom(16)
    encrypted = _crypt(key, nonce + plain)
    block = Cipher(algorithms.AES(key[32:48]), modes.ECB()).encryptor().update(nonce)
    return nonce + encrypted + Poly1305.generate_tag(key[48:64] + block, encrypted)
