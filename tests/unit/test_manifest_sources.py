"""Files and folders."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from netsim.manifest import LoadError, load
from netsim.manifest.diagnostics import Diagnostic
from netsim.manifest.sources import MAX_BYTES, Text, decode_text, read_sources

POD = "apiVersion: v1\nkind: Pod\nmetadata: {{name: {0}}}\nspec: {{containers: [{{name: a, image: i}}]}}\n"


def messages(*sources: Path | str) -> list[str]:
    with pytest.raises(LoadError) as caught:
        load(sources)
    return [f"{Path(d.file).name}: {d.message}" for d in caught.value.diagnostics]


def test_a_folder_is_read_recursively_and_sorted(tmp_path: Path) -> None:
    for name in ("b.yaml", "a.yml", "c/d.json", "c/a.yaml", "README.md", "x.yaml.bak"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(POD.format(name.replace("/", "-").partition(".")[0] + name[-1]))
    assert [item.metadata.name for item in load([tmp_path]).objects] == ["al", "bl", "c-al", "c-dn"]


def test_a_file_named_twice_is_read_once(tmp_path: Path) -> None:
    file = tmp_path / "a.yaml"
    file.write_text(POD.format("a"))
    assert len(load([file, tmp_path, str(file)]).objects) == 1


def test_what_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "binary.yaml").write_bytes(b"\x7fELF\0\0\0")
    (tmp_path / "latin.yaml").write_bytes(b"a: 1\nb: caf\xe9\n")
    (tmp_path / "utf16.yaml").write_text("a: 1", encoding="utf-16")
    names = ("missing.yaml", "folder", "binary.yaml", "latin.yaml", "utf16.yaml")
    assert messages(*(tmp_path / name for name in names)) == [
        "missing.yaml: no such file or folder",
        "folder: the folder has no manifests",
        "binary.yaml: the file is binary",
        "latin.yaml: byte 0xe9 is not UTF-8 text",
        "utf16.yaml: the file is UTF-16, not UTF-8",
    ]


def test_strange_names() -> None:
    assert messages("a\0b") == ["a\0b: no such file or folder"]
    assert messages("x" * 5000) == [f"{'x' * 5000}: cannot be read: File name too long"]
    assert messages("/dev/null") == ["null: not a regular file"]


def test_a_large_file_is_refused_unread(tmp_path: Path) -> None:
    file = tmp_path / "large.yaml"
    with file.open("wb") as stream:
        stream.truncate(100 * 1024 * 1024)
    with pytest.raises(LoadError, match=r"the file is too large: 100\.0 MiB\nhelp: at most 32 MiB are read"):
        load([file])
    assert MAX_BYTES == 32 * 1024 * 1024


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_unreadable(tmp_path: Path) -> None:
    file = tmp_path / "a.yaml"
    file.write_text("")
    file.chmod(0)
    assert messages(file) == ["a.yaml: cannot be read: Permission denied"]


def test_a_byte_order_mark_is_no_text() -> None:
    assert decode_text("x", b"\xef\xbb\xbfa: 1") == Text("x", "a: 1")


def test_the_place_of_a_bad_byte() -> None:
    found = decode_text("x", "a: é".encode() + b"\xff\nb")
    assert isinstance(found, Diagnostic)
    assert (found.line, found.column, found.text) == (1, 5, "a: é\N{REPLACEMENT CHARACTER}")


def test_no_sources_are_the_default_cluster() -> None:
    assert [node.name for node in load([]).cluster.nodes] == ["node1", "node2"]
    assert list(read_sources([])) == []
