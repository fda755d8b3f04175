"""Whether this kernel has nftables for IP at all: user-mode kernels of Debian have not, and rules are loaded and traced without it."""

from __future__ import annotations

import shutil
import subprocess
from functools import cache

_PROBE = "table ip netsim-probe {}\ntable ip6 netsim-probe {}\n"


@cache
def kernel_has_nftables() -> bool:
    """Asked with ``nft --check``, which changes nothing; True where it cannot be asked, as without nft or without root."""
    if shutil.which("nft") is None:
        return True
    done = subprocess.run(["nft", "--check", "-f", "-"], input=_PROBE, capture_output=True, text=True, check=False)
    return done.returncode == 0 or "not supported" not in done.stderr
