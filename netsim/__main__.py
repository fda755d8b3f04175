"""``netsim`` and ``python -m netsim``: the entry point, which keeps Ctrl-C quiet while the program is still being imported."""

from __future__ import annotations

import sys
from typing import NoReturn


def main() -> NoReturn:
    """Run the command line; exit status 130 where it is interrupted, as a shell reports it."""
    try:
        from netsim.cli.main import main as cli

        cli()
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()
