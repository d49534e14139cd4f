"""Bundles: lists of many files, which change with their files and are refused when they are not whole."""

from __future__ import annotations

import io
import sys
from pathlib import Path

import pytest

from gapdesign import bundles, cli
from gapdesign.errors import InputError


@pytest.fixture
def files(tmp_path: Path) -> list[Path]:
    paths = [tmp_path / name for name in ("b c.npy", "-a.npy", "q'; touch x.npy")]
    for path in paths:
        path.write_text(path.name)
    return paths


def test_a_bundle_stands_for_its_files_in_their_order_and_may_hold_bundles(tmp_path, files):
    inner, outer, alone = tmp_path / "0-3.bundle", tmp_path / "0-30.bundle", tmp_path / "last.npy"
    bundles.write(inner, files)
    bundles.write(outer, [inner])
    assert bundles.unpack([outer, alone]) == [*files, alone]


def test_a_bundle_changes_with_the_content_of_its_files(tmp_path, files, monkeypatch):
    path = tmp_path / "0-3.bundle"

    def written() -> bytes:
        bundles.write(path, files)
        return path.read_bytes()

    before = written()
    files[0].touch()
    assert written() == before
    files[0].write_text("other")
    assert written() != before
    monkeypatch.setattr(bundles, "SMALL", 1)  # larger files are known by size and time
    before = written()
    files[1].touch()
    assert written() != before


@pytest.mark.parametrize("damage", [lambda text: text[:-10], lambda text: "", lambda text: "\n" + text])
def test_a_damaged_bundle_is_refused_by_name(tmp_path, files, damage):
    path = tmp_path / "0-3.bundle"
    bundles.write(path, files)
    path.write_text(damage(path.read_text()))
    with pytest.raises(InputError, match=r"0-3\.bundle: not a whole list of files"):
        bundles.unpack([path])
    with pytest.raises(InputError, match="no such file"):
        bundles.unpack([tmp_path / "other.bundle"])


def test_verbs_unpack_bundles_and_take_arguments_from_standard_input(tmp_path, monkeypatch):
    tables = [tmp_path / f"{name}.csv" for name in "abc"]
    for table in tables:
        table.write_text(f"design\n{table.stem}\n")
    bundles.write(tmp_path / "0-2.bundle", tables[:2])
    words = ["concatenate", "--tables", tmp_path / "0-2.bundle", tables[2], "--output", tmp_path / "all.csv"]
    given = b"".join(bytes(str(word), "utf-8") + b"\0" for word in words)
    for text, status in ((given, 0), (given[:-4], 2)):
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(text)))
        assert cli.main(["-"]) == status
    assert (tmp_path / "all.csv").read_text() == "design\na\nb\nc\n"
