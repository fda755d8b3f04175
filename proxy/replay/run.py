"""Sync after sync of a case, as texts."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TypeVar

from netsim.net.address import Family
from netsim.objects.json import Document
from proxy.replay.case import Case, CaseStep, read_case, read_step
from proxy.replay.ipvs_recorder import Listing, RecordedDevice, ipvsadm_as_recorded
from proxy.replay.recorder import as_recorded
from proxy.server import KubeProxy, iptables_proxy, ipvs_proxy, nftables_proxy
from proxy.watch import ObjectFeed

S = TypeVar("S")

Texts = Mapping[str, str]
"""File name to content, as in ``step-00.iptables.ipv4.rules``."""


def replay(case: Document, steps: Sequence[Document], mode: str) -> Iterator[Texts]:
    """The files of each sync of a case in one mode, in the recorder's format.

    ``case`` and ``steps`` are the parsed ``case.yaml`` and ``step-NN.yaml``. Raises DecodeError, ConfigurationError, and
    ValueError for a mode that is not known. Time stands still, as it nearly did for the recorder.
    """
    if mode not in MODES:
        raise ValueError(f"unknown mode {mode!r}; known are {', '.join(sorted(MODES))}")
    return MODES[mode](read_case(case, mode), [read_step(step) for step in steps])


def synced(proxy: KubeProxy[S], case: Case, steps: Sequence[CaseStep]) -> Iterator[tuple[int, Mapping[Family, S]]]:
    """Each step's number and what the sync after it gives."""
    proxy.on_service_cidrs(case.service_cidrs)
    feed = ObjectFeed(proxy)
    for number, step in enumerate(steps):
        take(feed, step)
        yield number, proxy.sync()


def _stem(number: int, mode: str, family: Family) -> str:
    return f"step-{number:02d}.{mode}.{family_label(family)}"


def _iptables(case: Case, steps: Sequence[CaseStep]) -> Iterator[Texts]:
    for number, syncs in synced(iptables_proxy(case.configuration, case.node), case, steps):
        texts: dict[str, str] = {}
        for family, sync in syncs.items():
            stem = _stem(number, "iptables", family)
            texts[f"{stem}.rules"] = as_recorded(sync.rules())
            if number > 0:
                texts[f"{stem}.restore"] = sync.restore
        yield texts


def _nftables(case: Case, steps: Sequence[CaseStep]) -> Iterator[Texts]:
    for number, syncs in synced(nftables_proxy(case.configuration, case.node), case, steps):
        texts: dict[str, str] = {}
        for family, sync in syncs.items():
            stem = _stem(number, "nftables", family)
            texts[f"{stem}.nft"] = sync.table_as_recorded()
            if number > 0:
                texts[f"{stem}.transaction"] = sync.cleanup + sync.transaction
        yield texts


def _ipvs(case: Case, steps: Sequence[CaseStep]) -> Iterator[Texts]:
    """The recorder wrote ``.addresses`` when the last step was over, so nothing is handed out before."""
    proxy = ipvs_proxy(case.configuration, case.node)
    devices = {family: RecordedDevice() for family in proxy.proxiers}
    written: list[tuple[dict[str, str], dict[str, Listing]]] = []
    for number, syncs in synced(proxy, case, steps):
        texts: dict[str, str] = {}
        listings: dict[str, Listing] = {}
        for family, sync in syncs.items():
            stem = _stem(number, "ipvs", family)
            texts[f"{stem}.rules"] = as_recorded(sync.rules())
            texts[f"{stem}.ipvsadm"] = ipvsadm_as_recorded(sync.ipvsadm())
            texts[f"{stem}.ipset"] = sync.ipset()
            changes = sync.changes
            listings[f"{stem}.addresses"] = devices[family].change(map(str, changes.bound), map(str, changes.unbound))
        written.append((texts, listings))
    for texts, listings in written:
        yield {**texts, **{name: listing.text() for name, listing in listings.items()}}


MODES: dict[str, Callable[[Case, Sequence[CaseStep]], Iterator[Texts]]] = {
    "iptables": _iptables,
    "nftables": _nftables,
    "ipvs": _ipvs,
}
"""How each mode is replayed; a backend adds itself here."""


def family_label(family: Family) -> str:
    """``ipv4`` or ``ipv6``, as file names have it."""
    return family.kubernetes.lower()


def take(feed: ObjectFeed, step: CaseStep) -> None:
    """Delete and apply what a step says. Raises DecodeError."""
    for key in step.delete:
        feed.remove(key)
    for item in step.apply:
        feed.put(item)
