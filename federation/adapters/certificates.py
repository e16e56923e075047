# SPDX-License-Identifier: MIT
"""An authority of one's own, and certificates of it for a broker, made by ``openssl``.

Private keys are made where they stay, of mode 0600, and never on a command line.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from federation.errors import Refusal, io_refusal

#: The authority lives as long as the broker; what it signs a little more than a year.
_AUTHORITY_DAYS: Final = 3650
_SERVER_DAYS: Final = 397
#: How long one call may take (seconds).
_LIMIT: Final = 60.0
#: A certificate with less than this left is made again (seconds).
RENEW_BEFORE: Final = 30 * 86400
_NAME: Final = re.compile(r"(?=.{1,253}\Z)[A-Za-z0-9*]([A-Za-z0-9.:*-]*[A-Za-z0-9])?")
_ADDRESS: Final = re.compile(r"\d{1,3}(\.\d{1,3}){3}|[0-9A-Fa-f:]*:[0-9A-Fa-f:]*")

#: Every extension is named, and the system's own configuration is not read.
_CONFIG: Final = """\
[req]
distinguished_name = subject
prompt = no
[subject]
CN = {common}
[authority]
basicConstraints = critical, CA:TRUE
keyUsage = critical, keyCertSign, cRLSign
subjectKeyIdentifier = hash
[server]
basicConstraints = critical, CA:FALSE
keyUsage = critical, digitalSignature
extendedKeyUsage = serverAuth
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
subjectAltName = {names}
"""


def make_authority(certificate: Path, key: Path) -> None:
    """A new authority; both files are of mode 0600.  ``missing-program`` without openssl."""
    with tempfile.TemporaryDirectory(dir=key.parent, prefix=".new-") as folder:
        place = Path(folder)
        _config(place, "meta-log-peer-sync broker authority", "DNS:none.invalid")
        _openssl(place, "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
                 "-nodes", "-keyout", "key", "-out", "crt", "-config", "cnf",
                 "-extensions", "authority", "-days", str(_AUTHORITY_DAYS))  # fmt: skip
        # the key first: a certificate without its key would be kept for good
        _put(place / "key", key)
        _put(place / "crt", certificate)


def make_server(
    certificate: Path, key: Path, authority: tuple[Path, Path], names: Sequence[str]
) -> None:
    """A certificate for these names and addresses, signed by ``authority`` (its two files)."""
    shown = ",".join(f"{'IP' if _ADDRESS.fullmatch(one) else 'DNS'}:{one}" for one in names)
    with tempfile.TemporaryDirectory(dir=key.parent, prefix=".new-") as folder:
        place = Path(folder)
        _config(place, "meta-log-peer-sync broker", shown)
        _openssl(place, "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                 "-keyout", "key", "-out", "csr", "-config", "cnf")  # fmt: skip
        _openssl(place, "x509", "-req", "-in", "csr", "-CA", str(authority[0]),
                 "-CAkey", str(authority[1]), "-set_serial", f"0x{os.urandom(16).hex()}",
                 "-days", str(_SERVER_DAYS), "-extfile", "cnf", "-extensions", "server",
                 "-out", "crt")  # fmt: skip
        _put(place / "key", key)
        _put(place / "crt", certificate)


def lasts(certificate: Path, seconds: int) -> bool:
    """Whether a certificate is valid that much longer."""
    words = ("x509", "-in", str(certificate), "-noout", "-checkend", str(seconds))
    return _run(certificate.parent, *words).returncode == 0


def check_name(name: str) -> str:
    """A host name or address as it may stand in a certificate, or ``config-bad-value``."""
    if not _NAME.fullmatch(name):
        raise Refusal("config-bad-value", "a host name or an address")
    return name


def _config(place: Path, common: str, names: str) -> None:
    (place / "cnf").write_text(_CONFIG.format(common=common, names=names), encoding="ascii")


def _put(made: Path, target: Path) -> None:
    try:
        made.chmod(0o600)
        with made.open("rb") as file:
            os.fsync(file.fileno())
        made.replace(target)
    except OSError as error:
        raise io_refusal(error, target) from None


def _openssl(place: Path, *words: str) -> None:
    done = _run(place, *words)
    if done.returncode:
        raise Refusal("path-io-error", f"openssl {words[0]}: {done.stderr.strip()[-300:]!r}")


def _run(place: Path, *words: str) -> subprocess.CompletedProcess[str]:
    program = shutil.which("openssl")
    if program is None:
        raise Refusal("missing-program", "openssl", hint="on Debian: apt-get install openssl")
    environment = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    return subprocess.run(
        [program, *words], cwd=place, env=environment, stdin=subprocess.DEVNULL, check=False,
        capture_output=True, text=True, errors="replace", timeout=_LIMIT, umask=0o077,
    )  # fmt: skip
