"""``netsim diff A B``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from netsim.cli.answer import as_json, deliver, style_for
from netsim.cli.exit import Exit
from netsim.cli.loading import chosen_mode, opened, refusals_told
from netsim.cli.options import mode_option, output_option

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

    one, other = _loaded(before), _loaded(after)
    with refusals_told():
        found = difference(one, other, chosen_mode(mode))
    deliver(as_json(report.document(found)) if form == "json" else report.text(found, style_for(output)), output)
    return Exit.NOT_DELIVERED if found.changes else Exit.OK


def _loaded(words: str) -> Loaded:
    from netsim.manifest import load

    return opened(tuple(words.split(",")), lambda paths: ((found := load(paths)), found.warnings))
