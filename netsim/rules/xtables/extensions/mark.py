"""``-m mark``, ``-m connmark``, ``-j MARK`` and ``-j CONNMARK``.

Ref: iptables extensions/libxt_mark.c, libxt_connmark.c, libxt_MARK.c, libxt_CONNMARK.c (v1.8.9).
"""

from __future__ import annotations

from netsim.net.address import Family
from netsim.rules.xtables.ast import ConnmarkMatch, ConnmarkTarget, MarkMatch, MarkTarget
from netsim.rules.xtables.option import Extension, Given, Option, inverting
from netsim.rules.xtables.values import read_integer, read_mark, write_mark

_ONES = 0xFFFFFFFF
_ARITHMETIC = ("set-xmark", "set-mark", "and-mark", "or-mark", "xor-mark")


def _mark(given: Given) -> tuple[int, int]:
    return given.read("mark", read_mark) or (0, _ONES)


def _build_mark(given: Given) -> MarkMatch:
    return MarkMatch(*_mark(given), inverted=given.inverted("mark"))


def _build_connmark(given: Given) -> ConnmarkMatch:
    return ConnmarkMatch(*_mark(given), inverted=given.inverted("mark"))


def _mark_words(module: str, match: MarkMatch | ConnmarkMatch) -> list[str]:
    return [module, *inverting(["--mark", write_mark(match.value, match.mask)], inverted=match.inverted)]


def _arithmetic(given: Given) -> tuple[int, int] | None:
    """Value and mask of ``(mark & ~mask) ^ value``, None where no such option was given."""
    if (pair := given.read("set-xmark", read_mark)) is not None:
        return pair
    if (pair := given.read("set-mark", read_mark)) is not None:
        return pair[0], pair[0] | pair[1]
    if (bits := given.read("and-mark", read_integer)) is not None:
        return 0, ~bits & _ONES
    if (bits := given.read("or-mark", read_integer)) is not None:
        return bits, bits
    if (bits := given.read("xor-mark", read_integer)) is not None:
        return bits, 0
    return None


def _build_mark_target(given: Given) -> MarkTarget:
    pair = _arithmetic(given)
    if pair is None:
        raise given.problem("one of --set-xmark, --set-mark, --and-mark, --or-mark and --xor-mark must be specified")
    return MarkTarget(*pair)


def _build_connmark_target(given: Given) -> ConnmarkTarget:
    pair = _arithmetic(given)
    if pair is not None:
        if {"mask", "nfmask", "ctmask"} & given.options.keys():
            raise given.problem("--mask, --nfmask and --ctmask go with --save-mark and --restore-mark")
        return ConnmarkTarget("set", value=pair[0], ct_mask=pair[1], shift=_shift(given))
    operation = next((name for name in ("save", "restore") if f"{name}-mark" in given), None)
    if operation is None:
        raise given.problem("no operation specified", advice="--set-xmark, --save-mark or --restore-mark")
    both = given.read("mask", read_integer)
    nf_mask, ct_mask = given.read("nfmask", read_integer), given.read("ctmask", read_integer)
    if both is not None:
        return ConnmarkTarget(operation, ct_mask=both, nf_mask=both, shift=_shift(given))
    return ConnmarkTarget(
        operation,
        ct_mask=_ONES if ct_mask is None else ct_mask,
        nf_mask=_ONES if nf_mask is None else nf_mask,
        shift=_shift(given),
    )


def _shift(given: Given) -> int:
    left = given.read("left-shift-mark", lambda text: read_integer(text, 32))
    right = given.read("right-shift-mark", lambda text: read_integer(text, 32))
    return (left or 0) - (right or 0)


def _connmark_target_words(target: ConnmarkTarget, _family: Family) -> list[str]:
    side = "left" if target.shift > 0 else "right"
    shift = [f"--{side}-shift-mark", str(abs(target.shift))] if target.shift else []
    if target.operation == "set":
        return ["CONNMARK", "--set-xmark", f"{target.value:#x}/{target.ct_mask:#x}", *shift]
    masks = ["--nfmask", f"{target.nf_mask:#x}", "--ctmask", f"{target.ct_mask:#x}"]
    return ["CONNMARK", f"--{target.operation}-mark", *masks, *shift]


def _exclusive(*names: str) -> tuple[Option, ...]:
    """Options of which a rule may give one; the two that copy take no value."""
    copies = ("save-mark", "restore-mark")
    return tuple(
        Option(name, values=0 if name in copies else 1, excludes=tuple(other for other in names if other != name))
        for name in names
    )


MARK_MATCH = Extension(
    "mark",
    (Option("mark", invertible=True, required=True),),
    _build_mark,
    lambda match, _family: _mark_words("mark", match),
    (MarkMatch,),
)
CONNMARK_MATCH = Extension(
    "connmark",
    (Option("mark", invertible=True, required=True),),
    _build_connmark,
    lambda match, _family: _mark_words("connmark", match),
    (ConnmarkMatch,),
)
MARK_TARGET = Extension(
    "MARK",
    _exclusive(*_ARITHMETIC),
    _build_mark_target,
    lambda target, _family: ["MARK", "--set-xmark", f"{target.value:#x}/{target.mask:#x}"],
    (MarkTarget,),
)
CONNMARK_TARGET = Extension(
    "CONNMARK",
    (
        *_exclusive(*_ARITHMETIC, "save-mark", "restore-mark"),
        Option("mask", excludes=("nfmask", "ctmask")),
        Option("nfmask"),
        Option("ctmask"),
        Option("left-shift-mark", excludes=("right-shift-mark",)),
        Option("right-shift-mark"),
    ),
    _build_connmark_target,
    _connmark_target_words,
    (ConnmarkTarget,),
)
