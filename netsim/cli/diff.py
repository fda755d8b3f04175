"""``netsim diff A B``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from netsim.cli.exit import Exit, InputError
from netsim.cli.options import deliver, in_colour, mode_option, opened, output_option, told

if TYPE_CHECKING:
    from netsim.manifest import Loaded


@click.command("diff")
@click.argument("before", metavar="A")
@click.argument("after", metavar="B")
@mode_option
@click.option("-o", "--output", "form", type=click.Choice(["text", "json"]), default="text", show_default=True)
@output_option
def command(before: str, after: str, mode: str | None, form: str, output: Path | None) -> Exit:
    """Which flows change from A to B, and by which object?

    A and B: shipped topologies, files or folders of manifests; several with commas between them. Exit status 1 where any flow changes.
    """
    from netsim.difference import report
    from netsim.difference.compare import difference
    from netsim.manifest import LoadError
    from netsim.render.style import COLOUR, PLAIN
    from proxy.config.model import ProxyMode

    one, other = _loaded(before), _loaded(after)
    try:
        found = difference(one, other, ProxyMode(mode) if mode else None)
    except LoadError as error:
        raise InputError(told(error.diagnostics)) from error
    if form == "json":
        import json

        deliver(json.dumps(report.document(found), indent=2, ensure_ascii=False) + "\n", output)
    else:
        deliver(report.text(found, PLAIN if output is not None or not in_colour() else COLOUR), output)
    return Exit.NOT_DELIVERED if found.changes else Exit.OK


def _loaded(words: str) -> Loaded:
    from netsim.manifest import load

    return opened(tuple(words.split(",")), lambda paths: ((found := load(paths)), found.warnings))
