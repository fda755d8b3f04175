"""A trace as a picture and as Markdown."""

from __future__ import annotations

import json
import re
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from tests.cli.commands import netsim
from tests.cli.console import ROOT

SVG = "{http://www.w3.org/2000/svg}"
QUESTIONS = [
    ("-t", "default", "pod-a", "svc-x"),
    ("-t", "rp-filter", "client", "10.10.0.12:30080"),
    ("-t", "hairpin", "web", "svc/web"),
    ("-t", "vxlan", "client", "server:8080"),
    ("-t", "no-endpoints", "client", "svc/web"),
    ("-t", "pod-cidr-overlap", "client", "printer:631"),
    ("-t", "unused-clusterip-port", "client", "10.96.0.10:81"),
]


@pytest.fixture(autouse=True)
def _at_the_root(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    monkeypatch.delenv("NETSIM_TOPOLOGY", raising=False)


def hops(words: tuple[str, ...]) -> int:
    """How many stays the first packets each way have."""
    found = json.loads(netsim("trace", *words, "-o", "json").out.removeprefix("\n"))
    branch = next(
        each for each in found["branches"] if (each["verdict"], each["reason"]) == (found["verdict"], found["reason"])
    )
    return len(branch["forward"]) + len(branch["reply"])


@pytest.mark.parametrize("words", QUESTIONS, ids=lambda words: words[1])
def test_the_picture_is_whole(words: tuple[str, ...]) -> None:
    root = ET.fromstring(netsim("trace", *words, "-o", "svg").out)
    width, height = int(root.get("width", "0")), int(root.get("height", "0"))
    badges = [rect for rect in root.iter(f"{SVG}rect") if (rect.get("class") or "").endswith("-badge")]
    assert len(badges) == 2 * hops(words), "one on its namespace, one beside its words"
    for rect in root.iter(f"{SVG}rect"):
        x, y, wide, high = (int(rect.get(name, "0")) for name in ("x", "y", "width", "height"))
        assert 0 <= x <= x + wide <= width
        assert 0 <= y <= y + high <= height
    numbers = [text.text for text in root.iter(f"{SVG}text") if "onbadge" in (text.get("class") or "")]
    assert sorted(numbers, key=int) == sorted([str(n) for n in range(1, hops(words) + 1)] * 2, key=int)


@pytest.mark.parametrize("words", QUESTIONS, ids=lambda words: words[1])
def test_where_it_is_lost_is_marked(words: tuple[str, ...]) -> None:
    done = netsim("trace", *words, "-o", "svg")
    assert ('class="end-badge"' in done.out) == (words[1] not in {"default", "hairpin", "vxlan"})


def test_the_graph_has_an_edge_for_each_step() -> None:
    dot = netsim("trace", *QUESTIONS[0], "--pick", "2", "-o", "dot").out
    assert dot.startswith('digraph "pod/default/pod-a → svc/default/svc-x:80" {')
    assert len(re.findall(r" -> ", dot)) == hops((*QUESTIONS[0], "--pick", "2")) - 2
    assert "DNAT 10.96.1.1:80" in dot


def test_markdown_says_why_and_what_mends_it() -> None:
    words = ("-t", "wrong-target-port", "client", "svc/web")
    text = netsim("trace", *words, "-o", "md").out
    assert "**REJECTED**: connection refused" in text
    assert "- reason: `PORT_CLOSED`" in text
    assert "   kubectl -n default patch service web --type json" in text
    way = text.partition("```text\n")[2]
    assert way.startswith("→ SYN  ")
    assert way.rstrip().endswith("```")


def test_markdown_has_a_row_for_each_branch(tmp_path: Path) -> None:
    file = tmp_path / "trace.md"
    done = netsim("trace", *QUESTIONS[0], "-o", "md", "-f", str(file))
    assert done.status == 0
    assert len(re.findall(r"^\| \d ", file.read_text(encoding="utf-8"), re.MULTILINE)) == 3
