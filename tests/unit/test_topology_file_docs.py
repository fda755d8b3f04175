"""What docs/topology-file.md says is what is read."""

from __future__ import annotations

import re
from pathlib import Path

from netsim.manifest import cluster
from netsim.manifest.load import load_text

TEXT = (Path(__file__).parents[2] / "docs" / "topology-file.md").read_text(encoding="utf-8")


def test_the_example_loads() -> None:
    block = re.search(r"## The Cluster document\n\n((?:    .*\n|\n)+)", TEXT)
    assert block is not None
    example = "\n".join(line[4:] for line in block[1].splitlines())
    found = load_text(example, "topology-file.md")
    assert [node.name for node in found.cluster.nodes] == ["node1", "node2"]
    assert found.warnings == ()


def test_every_field_has_a_row_and_every_row_a_field() -> None:
    documented = {
        name for row in re.findall(r"^\| (`.*?`) \|", TEXT, re.MULTILINE) for name in re.findall(r"`(\w+)`", row)
    }
    fields = {*cluster.SPEC_FIELDS, *cluster.CNI_FIELDS, *cluster.NODE_FIELDS, *cluster.EXTERNAL_FIELDS}
    assert documented == fields
