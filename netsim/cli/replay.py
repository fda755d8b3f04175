"""``netsim replay CASE --mode M --out DIR``."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from netsim.cli.answer import deliver, write
from netsim.cli.exit import Exit, InputError
from netsim.cli.loading import refusals_told, told
from netsim.cli.options import FOLDER, MODES
from netsim.net.address import Family

if TYPE_CHECKING:
    from netsim.manifest.plain import PlainDocument

_STEP = re.compile(r"step-(\d{2,})\.ya?ml")


@click.command("replay")
@click.argument("case", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--mode", type=click.Choice(MODES), required=True, help="The mode that stands in for MODE in case.yaml.")
@click.option(
    "--out",
    "folder",
    type=FOLDER,
    required=True,
    help="Where the files are written.",
)
def command(case: Path, mode: str, folder: Path) -> Exit:
    """Sync after sync of a recorded case: what kube-proxy programs, in files named as the recording's.

    CASE is a folder with case.yaml (the Node, Service CIDRs, KubeProxyConfiguration) and step-NN.yaml (objects to delete and to
    apply before sync NN). `.rules` files carry the quoting of the recorder (docs/adr/0001-recorded-rules.md), and so does what
    iptables-save would print of them.
    """
    from netsim.manifest.plain import read_plain
    from netsim.render.form import counted

    with refusals_told():
        head = read_plain(case / "case.yaml")
        steps = [read_plain(path) for path in _step_files(case)]
    written = {name: text for texts in _replayed(head, steps, mode) for name, text in texts.items()}
    files = {**written, **_all_listings(written)}
    _make(folder)
    for name, text in files.items():
        write(folder / name, text.encode())
    deliver(f"{folder}: {counted(len(files), 'file')} of {counted(len(steps), 'sync')}", None)
    return Exit.OK


def _all_listings(written: dict[str, str]) -> dict[str, str]:
    """The listings of all files. Raises InputError for rules that no tool loads: the case's objects are not what an API server stores."""
    from netsim.rules.source import RuleSyntaxErrors

    try:
        return {name: text for file, rules in written.items() for name, text in _listings(file, rules)}
    except RuleSyntaxErrors as error:
        raise InputError(
            f"kube-proxy's rules would not load: {error.errors[0]}",
            "a case's objects are as an API server stores them: look for a port or an address that it would refuse",
        ) from error


def _listings(name: str, text: str) -> Iterator[tuple[str, str]]:
    """What the kernel's tool prints after a file was loaded: the name and text of ``.iptables-save`` or ``.nft-list``."""
    stem, _, kind = name.rpartition(".")
    if kind == "nft":
        from netsim.rules.nft.dump import dump as nft_list
        from netsim.rules.nft.parse import parse as parse_nft

        yield f"{stem}.nft-list", nft_list(parse_nft(text, name)).rstrip("\n") + "\n"
    if kind == "rules" and ".iptables." in name:
        from netsim.rules.xtables.dump import dump as iptables_save
        from netsim.rules.xtables.parse import parse as parse_xtables
        from netsim.rules.xtables.restore import without_empty_tables

        family = Family.IPV6 if stem.endswith(".ipv6") else Family.IPV4
        yield f"{stem}.iptables-save", iptables_save(without_empty_tables(parse_xtables(text, family, name)))


def _step_files(case: Path) -> list[Path]:
    found = {int(match[1]): path for path in case.iterdir() if (match := _STEP.fullmatch(path.name))}
    if not found:
        raise InputError(
            f"{case}: no step-00.yaml", "a step file names the objects to delete and to apply before a sync"
        )
    missing = [number for number in range(max(found)) if number not in found]
    if missing:
        raise InputError(f"{case}: step-{missing[0]:02d}.yaml is missing", "steps are numbered from 00 without gaps")
    return [found[number] for number in sorted(found)]


def _replayed(head: PlainDocument, steps: list[PlainDocument], mode: str) -> list[dict[str, str]]:
    """Every sync's files. All of them before the first is written: a case that cannot be replayed leaves nothing behind."""
    from netsim.objects.json import DecodeError
    from netsim.objects.path import path_text
    from proxy.config.read import ConfigurationError
    from proxy.replay.case import read_case
    from proxy.replay.run import replay

    done: list[dict[str, str]] = []
    try:
        read_case(head.document, mode)
    except ConfigurationError as error:
        found = [(f"kubeProxy.{path_text(p.path)}", p.message, p.advice) for p in error.problems]
        raise InputError(told(tuple(head.problem(*problem) for problem in found))) from error
    except DecodeError as error:
        raise InputError(told((head.problem(error.path, f"{error.path}: {error.message}"),))) from error
    try:
        done.extend(dict(texts) for texts in replay(head.document, [step.document for step in steps], mode))
    except DecodeError as error:
        step = steps[_first_unreadable(steps, len(done))]
        raise InputError(told((step.problem(_path_in(step, error.path), f"{error.path}: {error.message}"),))) from error
    return done


def _first_unreadable(steps: list[PlainDocument], done: int) -> int:
    """The step that an error is about: one whose form is wrong (they are all read first), else the one after those done."""
    from netsim.objects.json import DecodeError
    from proxy.replay.case import read_step

    for number, step in enumerate(steps):
        try:
            read_step(step.document)
        except DecodeError:
            return number
    return done


def _path_in(step: PlainDocument, path: str) -> str:
    """The place in a step's file of ``Service default/web: spec.ports``; a path that names no object is one already."""
    from netsim.objects.meta import Object
    from proxy.replay.case import read_step

    name, colon, rest = path.partition(": ")
    if not colon:
        return path
    keys = [str(Object.of(item.document).key) for item in read_step(step.document).apply]
    return f"apply[{keys.index(name)}].{rest}" if name in keys else ""


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"{folder}: cannot be made: {error.strerror or error}") from error
