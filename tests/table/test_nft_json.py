"""``nft -j``: what nft 1.0.6 prints of a rule set as JSON is the rule set that it prints as text; errors name the place in the JSON.

The files of tests/data/nft are what nft printed, text and JSON, of the rule sets of the same names in tests/data/rules/nft-programs, and of
statements.nft and families.nft.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from netsim.rules.nft.ast import Ruleset, TableFamily
from netsim.rules.nft.dump import dump_as_loaded
from netsim.rules.nft.parse import parse
from netsim.rules.source import RuleSyntaxErrors

DATA = Path(__file__).parents[1] / "data" / "nft"
NAMES = sorted({path.stem for path in DATA.glob("*.json")} - {"devices"})


def as_json_tells(ruleset: Ruleset) -> Ruleset:
    """Without what nft 1.0.6 leaves out of its JSON: auto-merge, the flag dynamic, comments of tables and chains."""
    tables = {
        key: replace(
            table,
            comment="",
            chains={name: replace(chain, comment="") for name, chain in table.chains.items()},
            sets={
                name: replace(named, auto_merge=False, flags=named.flags - {"dynamic"}, size=None)
                for name, named in table.sets.items()
            },
        )
        for key, table in ruleset.tables.items()
    }
    return Ruleset(tables)


def of(name: str, suffix: str) -> Ruleset:
    path = DATA / f"{name}{suffix}"
    return parse(path.read_text(), path.name)


@pytest.mark.parametrize("name", NAMES)
def test_json_and_text_are_the_same_rules(name: str) -> None:
    assert as_json_tells(of(name, ".json")) == as_json_tells(of(name, ".list"))
    assert of(name, ".json").tables


@pytest.mark.parametrize("name", NAMES)
def test_what_is_printed_is_read_again(name: str) -> None:
    ruleset = of(name, ".list")
    assert parse(dump_as_loaded(ruleset), name) == ruleset


def test_json_that_leaves_the_devices_out_is_refused() -> None:
    assert len(of("devices", ".list").tables) == 2
    with pytest.raises(RuleSyntaxErrors, match="needs a device"):
        of("devices", ".json")


def command(text: str) -> str:
    table = '{"add": {"table": {"family": "ip", "name": "t"}}},\n{"add": {"chain": {"family": "ip", "table": "t", "name": "c"}}},\n'
    return f'{{"nftables": [{table}{text}]}}'


def rule(statement: str) -> str:
    return command(f'{{"add": {{"rule": {{"family": "ip", "table": "t", "chain": "c", "expr": [{statement}]}}}}}}')


STATEMENTS = (
    # JSON that a listing of nft 1.0.6 does not show, and the text that means the same
    ('{"queue": {"num": 3, "flags": ["bypass"]}}', "queue flags bypass to 3"),
    ('{"queue": {"num": {"range": [1, 4]}}}', "queue num 1-4"),
    ('{"flow": {"op": "add", "flowtable": "@f"}}', "flow add @f"),
    ('{"last": null}', "last"),
    ('{"xt": {"type": "match", "name": "recent"}}', 'xt match "recent"'),
    ('{"map": {"op": "update", "elem": {"payload": {"protocol": "ip", "field": "saddr"}}, "data": 5, "map": "@m"}}', None),
    ('{"secmark": "s"}', 'meta secmark set "s"'),
    ('{"limit": {"rate": 10, "rate_unit": "kbytes", "per": "second", "burst": 5, "burst_unit": "kbytes", "inv": true}}',
     "limit rate over 10 kbytes/second burst 5 kbytes"),
    ('{"quota": {"val": 25, "val_unit": "mbytes", "inv": true}}', "quota over 25 mbytes"),
    ('{"match": {"op": "==", "left": {"payload": {"base": "nh", "offset": 96, "len": 32}}, "right": 7}}', "@nh,96,32 7"),
    ('{"goto": {"target": "c2"}}', "goto c2"),
)  # fmt: skip


@pytest.mark.parametrize(("told", "text"), [row for row in STATEMENTS if row[1]], ids=lambda row: str(row)[:40])
def test_statements(told: str, text: str) -> None:
    more = '{"add": {"chain": {"family": "ip", "table": "t", "name": "c2"}}},'
    more += '{"add": {"flowtable": {"family": "ip", "table": "t", "name": "f", "hook": "ingress", "prio": 0, "dev": "eth0"}}},'
    flows = "flowtable f { hook ingress priority filter; devices = { eth0 }; }"
    written = parse(f"table ip t {{ {flows}\nchain c2 {{ }}\nchain c {{ {text}\n}}\n}}", "text")
    read = parse(rule(told).replace('{"add": {"rule"', f'{more}{{"add": {{"rule"'), "json")
    key = (TableFamily.IP, "t")
    assert read.tables[key].chains["c"].rules == written.tables[key].chains["c"].rules


def test_commands_change_what_is_there() -> None:
    before = parse("table ip t { set s { type inet_service; elements = { 22 } }\nchain c { accept\n} }", "text")
    element = '{"add": {"element": {"family": "ip", "table": "t", "name": "s", "elem": [80, {"range": [90, 99]}]}}}'
    flush = '{"flush": {"chain": {"family": "ip", "table": "t", "name": "c"}}}'
    after = parse(f'{{"nftables": [{element}, {flush}]}}', "json", base=before)
    table = after.tables[TableFamily.IP, "t"]
    assert len(table.sets["s"].elements) == 3
    assert not table.chains["c"].rules
    assert not parse('{"nftables": [{"flush": {"ruleset": null}}]}', "json", base=after).tables


ERRORS = (
    # text, line, column, what is said
    ('{"nftables": [', 1, 15, "expecting a value"),
    ('{"nftables": [1.5]}', 1, 15, "expecting a whole number"),
    ('{"other": []}', 1, 1, "nftables"),
    ("{}", 1, 1, "nftables"),
    ('{"nftables": [{"what": {}}]}', 1, 15, "unknown object 'what'"),
    (
        command('{"add": {"rule": {"family": "ip", "table": "t", "chain": "x", "expr": []}}}'),
        3,
        58,
        "there is no chain x",
    ),
    (rule('{"frobnicate": null}'), 3, 72, "unknown statement 'frobnicate'"),
    (rule('{"match": {"left": {"meta": {"key": "nothing"}}, "right": 1}}'), 3, 91, "expecting a meta key"),
    (rule('{"match": {"left": {"payload": {"protocol": "tcp", "field": "dport"}}, "right": 70000}}'), 3, 152, "70000"),
    (command('{"add": {"set": {"family": "ip", "table": "t", "name": "s"}}}'), 3, 1, "set without 'type'"),
    (command('{"delete": {"rule": {"family": "ip", "table": "t", "chain": "c", "handle": 4}}}'), 3, 1, "no handles"),
)


@pytest.mark.parametrize(("text", "line", "column", "said"), ERRORS, ids=[row[3] for row in ERRORS])
def test_errors_have_places(text: str, line: int, column: int, said: str) -> None:
    with pytest.raises(RuleSyntaxErrors) as caught:
        parse(text, "rules.json")
    first = caught.value.errors[0]
    assert said in first.message
    assert (first.origin.line, first.origin.column) == (line, column)
