"""Our proxy against kube-proxy's own proxiers, case by case: ``python -m tests.differential.kubeproxy.oracle_cases``.

``oracle/build`` makes the program that runs kube-proxy's Go code on a folder of a case and writes what it programmed beside it.
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from proxy.config.read import ConfigurationError
from proxy.replay.ipvs_recorder import ipvsadm_as_recorded
from proxy.replay.recorder import as_recorded
from proxy.replay.run import family_label
from tests.differential.kubeproxy.kubeproxy_cases import (
    PROXIES,
    case_names,
    documents,
    iptables_form,
    rules_form,
    syncs,
)
from tests.differential.kubeproxy.random_cases import Draw, Object
from tests.nftables_texts import nftables_form

ANSWERS = Path(__file__).parents[2] / "data" / "kube-proxy-oracle.json.gz"
MODES = tuple(PROXIES)


def programmed(case: Object, steps: Sequence[Object], mode: str) -> Iterator[tuple[str, str]]:
    """File name and text of all that our proxy programs, sync after sync. Raises ConfigurationError."""
    for number, family, sync in syncs(case, steps, mode):
        for extension, text in _texts(sync, mode, number).items():
            yield f"step-{number:02d}.{mode}.{family_label(family)}.{extension}", text


def _texts(sync, mode: str, number: int) -> dict[str, str]:
    if mode == "iptables":
        return {"rules": sync.rules(), **({"restore": sync.restore} if number else {})}
    if mode == "nftables":
        return {"nft": sync.table_as_recorded(), **({"transaction": sync.cleanup + sync.transaction} if number else {})}
    return {
        "rules": sync.rules(),
        "ipvsadm": ipvsadm_as_recorded(sync.ipvsadm()),
        "ipset": sync.ipset(),
        "addresses": sync.dummy_addresses(),
    }


def form(file: str, text: str):
    """What of a file is compared: all but the order where kube-proxy keeps none."""
    mode, extension = file.split(".")[1], file.rpartition(".")[2]
    if mode == "nftables":
        return nftables_form(text)
    if mode == "iptables":
        return iptables_form(as_recorded(text))
    return rules_form(as_recorded(text)) if extension == "rules" else text.split("\n")


def digest(texts: Mapping[str, str]) -> str:
    """A hash of what is compared of all files of a run."""
    forms = json.dumps({file: form(file, text) for file, text in texts.items()}, sort_keys=True)
    return hashlib.sha256(forms.encode()).hexdigest()


def write(folder: Path, case: Object, steps: Sequence[Object]) -> None:
    """A case as files. JSON is YAML."""
    folder.mkdir(parents=True)
    (folder / "case.yaml").write_text(json.dumps(case, indent=1))
    for number, step in enumerate(steps):
        (folder / f"step-{number:02d}.yaml").write_text(json.dumps(step, indent=1))


def differences(folder: Path, mode: str, case: Object, steps: Sequence[Object], answer: str) -> list[str]:
    """What differs between our proxy's files and those in a folder; ``answer`` is the oracle's line on it."""
    try:
        ours = dict(programmed(case, steps, mode))
    except ConfigurationError as error:
        return [] if "error configuration" in answer else [f"we refuse: {error}; kube-proxy: {answer}"]
    if "error" in answer:
        return [f"kube-proxy: {answer}; we do not refuse"]
    theirs = told(folder, mode)
    if ours.keys() != theirs.keys():
        return [
            f"files: only ours {sorted(ours.keys() - theirs.keys())}, only theirs {sorted(theirs.keys() - ours.keys())}"
        ]
    found = []
    for file in sorted(theirs):
        if form(file, ours[file]) != form(file, theirs[file]):
            (folder / f"{file}.ours").write_text(ours[file])
            found.append(file)
    return found


def told(folder: Path, mode: str) -> dict[str, str]:
    """What the oracle wrote for a mode, by file name."""
    return {path.name: path.read_text() for path in sorted(folder.glob(f"step-*.{mode}.*")) if path.suffix != ".ours"}


def compare(oracle: Path, cases: Iterable[tuple[str, Object, Sequence[Object]]], folder: Path) -> int:
    """Run both on every case in every mode; print each difference. Returns the number of cases that differ."""
    made = {name: (case, steps) for name, case, steps in cases}
    asked = [(name, mode) for name, (case, _) in made.items() for mode in MODES if mode in case["modes"]]
    for name, (case, steps) in made.items():
        write(folder / name, case, steps)
    done = subprocess.run(
        [str(oracle)],
        input="".join(f"{folder / name} {mode}\n" for name, mode in asked),
        capture_output=True,
        text=True,
        check=True,
    )
    answers = {tuple(line.split()[:2]): line for line in done.stdout.splitlines()}
    wrong = 0
    for name, mode in asked:
        case, steps = made[name]
        found = differences(
            folder / name, mode, case, steps, answers.get((str(folder / name), mode), "error: no answer")
        )
        if found:
            wrong += 1
            print(f"{name} {mode}: {', '.join(found[:3])}")
    print(f"{len(made)} cases, {len(asked)} runs, {wrong} differ")
    return wrong


def keep(cases: Iterable[tuple[str, Object, Sequence[Object]]], folder: Path) -> None:
    """Keep the cases and digests of the oracle's answers, for the test that runs without it."""
    kept = [
        {
            "name": name,
            "case": case,
            "steps": steps,
            "told": {mode: digest(told(folder / name, mode)) for mode in MODES},
        }
        for name, case, steps in cases
    ]
    ANSWERS.write_bytes(gzip.compress(json.dumps(kept, separators=(",", ":")).encode(), mtime=0))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("oracle", type=Path)
    parser.add_argument("--cases", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--recorded", action="store_true", help="the recorded cases, in place of random ones")
    parser.add_argument(
        "--record", action="store_true", help=f"keep the cases and what kube-proxy answers in {ANSWERS.name}"
    )
    parser.add_argument("--keep", type=Path, help="a new folder for the files of both sides")
    options = parser.parse_args()
    if options.recorded:
        cases = [(name, *documents(name)) for name in case_names("ipvs")]
    else:
        cases = [(f"seed-{seed}", *Draw(seed).case()) for seed in range(options.seed, options.seed + options.cases)]
    with tempfile.TemporaryDirectory() as own:
        folder = options.keep or Path(own)
        wrong = compare(options.oracle, cases, folder)
        if options.record:
            keep(cases, folder)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
