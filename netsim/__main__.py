"""``python -m netsim``."""

from netsim.cli.main import main

main()
