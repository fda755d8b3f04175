"""``netsim explain REASON``."""

from __future__ import annotations

from pathlib import Path

import click

from netsim.cli.answer import deliver
from netsim.cli.exit import Exit, InputError
from netsim.cli.options import output_option


@click.command("explain")
@click.argument("reason", metavar="[REASON]", required=False)
@output_option
def command(reason: str | None, output: Path | None) -> Exit:
    """What does this reason mean, how is it seen on a real node, how is it mended?

    REASON is what a trace's line `reason` says, such as NO_ENDPOINTS or REPLY_RP_FILTER. Without it: every reason.
    """
    from netsim.render.explain.page import of_the_way_back, page
    from netsim.render.tables import table
    from netsim.trace.reasons import REPLY_PREFIX, reasons

    if reason is None:
        rows = (
            (row.code, row.verdict.value, row.meaning) for row in reasons().values() if not of_the_way_back(row.code)
        )
        note = f"\nMet on the way back, a reason is called {REPLY_PREFIX}REASON.\n"
        deliver(table(("REASON", "VERDICT", "MEANING"), rows) + note, output)
        return Exit.OK
    code = reason.upper().replace("-", "_")
    if code not in reasons():
        raise InputError(f"{reason} is no reason", _nearest(code))
    deliver(page(code), output)
    return Exit.OK


def _nearest(code: str) -> str:
    from netsim.objects.path import nearest
    from netsim.trace.reasons import reasons

    near = nearest(code, reasons())
    return f"did you mean {near}?" if near else "'netsim explain' lists them"
