"""``netsim rules NODE``."""

from __future__ import annotations

from pathlib import Path

import click

from netsim.cli.exit import Exit, InputError
from netsim.cli.options import deliver, mode_option, open_world, output_option, topology_option
from netsim.net.address import Family

FORMATS = ("restore", "save")


@click.command("rules")
@click.argument("node")
@topology_option
@mode_option
@click.option("--family", type=click.Choice(["ipv4", "ipv6"]), default="ipv4", show_default=True)
@click.option(
    "--format",
    "form",
    type=click.Choice(FORMATS),
    default="restore",
    show_default=True,
    help="restore: what kube-proxy gives to iptables-restore, jumps included. save: everything that the node has "
    "(its own rules and flannel's too), as iptables-save prints it.",
)
@output_option
def command(node: str, sources: tuple[str, ...], mode: str | None, family: str, form: str, output: Path | None) -> Exit:
    """What does kube-proxy program on NODE?"""
    world = open_world(sources, mode)
    name = node.removeprefix("node/")
    if name not in world.proxies:
        listed = ", ".join(world.proxies)
        raise InputError(f"no node is called {name}", f"the nodes are: {listed}")
    wanted = Family.IPV4 if family == "ipv4" else Family.IPV6
    if form == "restore":
        sync = world.proxies[name].syncs.get(wanted)
        text = sync.rules() if sync else None
    else:
        from netsim.rules.xtables.dump import dump

        netns = world.topology.namespaces[world.node_netns(name)]
        text = next((dump(ruleset) for ruleset in netns.xtables if ruleset.family is wanted), None)
    if text is None:
        raise InputError(f"{name} has no {wanted.kubernetes} address: kube-proxy programs nothing for that family")
    deliver(text, output)
    return Exit.OK
