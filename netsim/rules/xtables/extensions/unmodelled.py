"""Extensions that iptables knows and the model does not: where their words end is known, what they mean is not.

Each row names a module's options: ``!`` may be inverted, ``=N`` is followed by N words (1 where nothing is said), ``|`` joins
spellings, ``+`` must be given. A rule that uses one is kept with its words; a walk that meets it ends UNKNOWN.
Ref: iptables-extensions(8) (v1.8.9).
"""

from __future__ import annotations

import re
from collections.abc import Callable

from netsim.net.address import Family
from netsim.rules.xtables.ast import NotModelledMatch, NotModelledTarget
from netsim.rules.xtables.option import BOTH, Extension, Given, Needs, Option
from netsim.rules.xtables.words import quote_where_needed

_V4, _V6 = (Family.IPV4,), (Family.IPV6,)
_SPEC = re.compile(r"(?P<inverts>!?)(?P<names>[a-z0-9|-]+)(=(?P<values>[0-9]))?(?P<required>\+?)")

_MATCHES: tuple[tuple[str, tuple[Family, ...], str], ...] = (
    # module, families, options
    ("bpf", BOTH, "object-pinned bytecode"),
    ("cluster", BOTH, "cluster-total-nodes !cluster-local-node !cluster-local-nodemask cluster-hash-seed"),
    ("connlabel", BOTH, "!label set=0"),
    ("cpu", BOTH, "!cpu"),
    ("nfacct", BOTH, "nfacct-name"),
    ("osf", BOTH, "!genre ttl log"),
    (
        "rateest",
        BOTH,
        (
            "rateest-delta=0 !rateest-lt=0 !rateest-gt=0 !rateest-eq=0 rateest rateest1 rateest2 rateest-bps rateest-pps "
            "rateest-bps1 rateest-bps2 rateest-pps1 rateest-pps2"
        ),
    ),
    ("string", BOTH, "algo from to !string !hex-string icase=0"),
    (
        "time",
        BOTH,
        ("datestart datestop timestart timestop !monthdays !weekdays contiguous=0 kerneltz=0 utc=0 localtz=0"),
    ),
    ("u32", BOTH, "!u32"),
)

_MANGLE = Needs(tables=("mangle",))
_TARGETS: tuple[tuple[str, tuple[Family, ...], str, Needs], ...] = (
    # target, families, options, what the kernel asks of the rule
    ("CLUSTERIP", _V4, "new=0 hashmode clustermac total-nodes local-node hash-init", Needs()),
    ("DNPT", _V6, "src-pfx dst-pfx", _MANGLE),
    ("ECN", _V4, "ecn-tcp-remove=0 ecn-tcp-cwr ecn-tcp-ece ecn-ip-ect", _MANGLE),
    (
        "HMARK",
        BOTH,
        (
            "hmark-tuple hmark-mod hmark-offset hmark-src-prefix hmark-dst-prefix hmark-sport-mask hmark-dport-mask "
            "hmark-spi-mask hmark-proto-mask hmark-rnd hmark-sport hmark-dport hmark-spi hmark-proto"
        ),
        Needs(),
    ),
    ("SNPT", _V6, "src-pfx dst-pfx", _MANGLE),
    ("SYNPROXY", BOTH, "mss wscale sack-perm=0 timestamp=0", Needs((6,), (), ("INPUT", "FORWARD"))),
    ("TCPOPTSTRIP", BOTH, "strip-options", Needs((6,), ("mangle",))),
)


def options_of(specs: str) -> tuple[Option, ...]:
    """The options that a row of this form names."""
    options: list[Option] = []
    for spec in specs.split():
        parts = _SPEC.fullmatch(spec)
        if parts is None:
            raise ValueError(f"option specification {spec!r}")
        name, *aliases = parts["names"].split("|")
        options.append(
            Option(name, tuple(aliases), int(parts["values"] or 1), bool(parts["inverts"]), bool(parts["required"]))
        )
    return tuple(options)


def _build_match(given: Given) -> NotModelledMatch:
    return NotModelledMatch(given.extension, given.words())


def _build_target(given: Given) -> NotModelledTarget:
    return NotModelledTarget(given.extension, given.words())


def _always(needs: Needs) -> Callable[[NotModelledTarget], Needs]:
    return lambda _target: needs


def match_words(match: NotModelledMatch, _family: Family) -> list[str]:
    """Module and words as they were read."""
    return [match.module, *map(quote_where_needed, match.words)]


def target_words(target: NotModelledTarget, _family: Family) -> list[str]:
    """Name and words as they were read."""
    return [target.name, *map(quote_where_needed, target.words)]


UNMODELLED_MATCHES: tuple[Extension[NotModelledMatch], ...] = tuple(
    Extension(name, options_of(specs), _build_match, match_words, (NotModelledMatch,), families=families)
    for name, families, specs in _MATCHES
)
UNMODELLED_TARGETS: tuple[Extension[NotModelledTarget], ...] = tuple(
    Extension(
        name,
        options_of(specs),
        _build_target,
        target_words,
        (NotModelledTarget,),
        needs=_always(needs),
        families=families,
    )
    for name, families, specs, needs in _TARGETS
)
