"""``netsim rules NODE``."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from netsim.cli.answer import deliver
from netsim.cli.exit import Exit, InputError
from netsim.cli.loading import open_world
from netsim.cli.options import mode_option, output_option, topology_option
from netsim.net.address import Family

if TYPE_CHECKING:
    from netsim.scenario.kube_proxies import Sync
    from netsim.scenario.world import World

FORMATS: dict[str, str] = {
    "restore": "the iptables rules as kube-proxy writes them, jumps included (iptables, ipvs)",
    "save": "all iptables rules of the node, its own and flannel's too, as iptables-save prints them",
    "nft": "kube-proxy's table as commands for nft -f (nftables)",
    "ipvsadm": "virtual and real servers as ipvsadm -Sn prints them (ipvs)",
    "ipset": "sets and members for ipset restore (ipvs)",
    "addresses": "the addresses of kube-ipvs0 (ipvs)",
}
DEFAULT_FORMATS = {"iptables": "restore", "ipvs": "restore", "nftables": "nft"}


@click.command("rules")
@click.argument("node")
@topology_option
@mode_option
@click.option("--family", type=click.Choice(["ipv4", "ipv6"]), default="ipv4", show_default=True)
@click.option(
    "--format",
    "form",
    type=click.Choice(list(FORMATS)),
    help="Default: restore, or nft in mode nftables. "
    + "; ".join(f"{name}: {what}" for name, what in FORMATS.items())
    + ".",
)
@output_option
def command(
    node: str, sources: tuple[str, ...], mode: str | None, family: str, form: str | None, output: Path | None
) -> Exit:
    """What does kube-proxy program on NODE?"""
    world = open_world(sources, mode)
    name = node.removeprefix("node/")
    if name not in world.proxies:
        raise InputError(f"no node is called {name}", f"the nodes are: {', '.join(world.proxies)}")
    wanted = Family.IPV4 if family == "ipv4" else Family.IPV6
    proxy = world.proxies[name]
    if wanted not in proxy.syncs:
        raise InputError(f"{name} has no {wanted.kubernetes} address: kube-proxy programs nothing for that family")
    chosen = form or DEFAULT_FORMATS[proxy.configuration.mode.value]
    text = _saved(world, name, wanted) if chosen == "save" else _printed(proxy.syncs[wanted], chosen)
    if text is None:
        raise InputError(
            f"kube-proxy on {name} is in mode {proxy.configuration.mode.value}, which has nothing of format {chosen}",
            f"{chosen}: {FORMATS[chosen]}",
        )
    deliver(text, output)
    return Exit.OK


def _saved(world: World, node: str, family: Family) -> str:
    from netsim.rules.xtables.dump import dump

    netns = world.topology.namespaces[world.node_netns(node)]
    return "".join(dump(ruleset) for ruleset in netns.xtables if ruleset.family is family)


def _printed(sync: Sync, form: str) -> str | None:
    from proxy.iptables.sync import IptablesSync
    from proxy.ipvs.sync import IpvsSync
    from proxy.nftables.sync import NftablesSync

    forms: dict[str, Callable[[], str]]
    match sync:
        case IptablesSync():
            forms = {"restore": sync.rules}
        case IpvsSync():
            forms = {
                "restore": sync.rules,
                "ipvsadm": sync.ipvsadm,
                "ipset": sync.ipset_save,
                "addresses": sync.dummy_addresses,
            }
        case NftablesSync():
            forms = {"nft": sync.table}
    return forms[form]() if form in forms else None
