"""Typed sets → the text of ``ipset save``, which ``ipset restore`` takes."""

from __future__ import annotations

from netsim.net.address import Family
from netsim.rules.ipset.ast import Dimension, Entry, IPSet, IPSets, Key
from netsim.rules.ipset.elements import write_key


def dump(sets: IPSets) -> str:
    """Every set with its entries: sets in their order, lists of sets last, entries sorted by their text."""
    ordered = sorted(sets.sets.values(), key=lambda each: each.type.method == "list")
    return "".join(f"{line}\n" for each in ordered for line in (_create(each), *entry_lines(each)))


def dump_entries(sets: IPSets) -> str:
    """Only the ``add`` lines, sorted: the form of kube-proxy's ``.ipset`` files."""
    return "".join(f"{line}\n" for line in sorted(line for each in sets.sets.values() for line in entry_lines(each)))


def entry_lines(target: IPSet) -> list[str]:
    """The ``add`` lines of one set, sorted."""
    return sorted(_add(target, key, entry) for key, entry in target.entries.items())


def _create(target: IPSet) -> str:
    options, method = target.options, target.type.method
    words = ["create", target.name, str(target.type)]
    if method == "hash":
        if target.family is not None:
            words += ["family", "inet" if target.family is Family.IPV4 else "inet6"]
        if Dimension.MARK in target.type.dimensions and options.markmask != 0xFFFFFFFF:
            words += ["markmask", f"{options.markmask:#010x}"]
        words += ["hashsize", str(options.hashsize), "maxelem", str(options.maxelem)]
        if options.netmask is not None:
            words += ["netmask", str(options.netmask)]
    elif options.range is not None:
        words += ["range", f"{options.range[0]}-{options.range[1]}"]
    else:
        words += ["size", str(options.size)]
    if options.timeout is not None:
        words += ["timeout", str(options.timeout)]
    present = (("counters", options.counters), ("comment", options.comment), ("skbinfo", options.skbinfo))
    words += [name for name, there in present if there]
    if method == "hash":
        words += ["bucketsize", str(options.bucketsize)]
    return " ".join(words)


def _add(target: IPSet, key: Key, entry: Entry) -> str:
    words = ["add", target.name, write_key(key, dimensions=target.type.dimensions)]
    if target.options.timeout is not None:
        words += ["timeout", str(entry.timeout or 0)]
    if entry.nomatch:
        words.append("nomatch")
    if target.options.counters:
        words += ["packets", str(entry.packets), "bytes", str(entry.bytes)]
    if entry.comment:
        words += ["comment", f'"{entry.comment}"']
    return " ".join(words)
