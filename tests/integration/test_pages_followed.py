"""Pages with commands to be followed: the tutorial in an empty folder beside the workflow, the others where it ended.

A page is followed from the top to its end: its files are written, its commands run, and what it says that they print is
what they print. All pages that have such blocks are.
"""

from __future__ import annotations

import json
import re
import subprocess
from collections import Counter
from collections.abc import Callable
from html import unescape
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from ase.io import read

import pages
from conftest import ROOT
from gapdesign.models.gap.predict import energies

pytestmark = pytest.mark.slow

ELSEWHERE = {
    "toy-studies.md": "tests/unit/test_toy_studies.py",
    "tutorial.md": "test_the_tutorial_does_what_it_says",
    "tutorial-trajectory.md": "test_the_tutorial_with_a_trajectory_does_what_it_says",
    "w-entropy.md": "test_the_set_made_by_hand_is_written",
}
"""Pages that are followed by a test of their own."""


def followed() -> list[str]:
    """Pages with blocks that are to be followed."""
    return sorted(
        page.name
        for page in pages.pages()
        if any(
            block.language in pages.FOLLOWED and not block.title
            for block in pages.blocks(page.read_text(encoding="utf-8"))
        )
    )


@pytest.fixture(scope="module")
def tutorial(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The state in which the tutorial ends."""
    folder = tmp_path_factory.mktemp("tutorial")
    for name in ("Snakefile", "workflow", "profiles"):
        (folder / name).symlink_to(ROOT / name)
    pages.run(ROOT / "docs" / "tutorial.md", folder)
    return folder


def test_the_tutorial_does_what_it_says(tutorial: Path) -> None:
    results = tutorial / "results" / "copper"
    assert (results / "report.html").is_file() and (results / "design.html").is_file()
    errors = pd.read_csv(results / "crossval" / "errors.csv")
    assert len(errors) == 16


@pytest.mark.whole
def test_the_tutorial_with_a_trajectory_does_what_it_says(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """What it quotes from standard error and from the design page is there, and so are the numbers in its text."""
    page = ROOT / "docs" / "tutorial-trajectory.md"
    pages.run(page, tmp_path)
    said = capfd.readouterr().err
    text = page.read_text(encoding="utf-8")
    shown = [block.content for block in pages.blocks(text) if block.language == "text"]
    assert len(shown) == 2 and all(lines in said for lines in shown)
    results = tmp_path / "my-study/results/my-study"
    design = " ".join(unescape(re.sub(r"<[^>]+>", "", (results / "design.html").read_text(encoding="utf-8"))).split())
    quoted = " ".join(line.removeprefix("> ") for line in text.splitlines() if line.startswith("> "))
    assert quoted in design
    assert "55.3 % of the pairs overlap" in design and "63.7 %" in design
    assert (results / "report.html").is_file()
    picked, chosen = read(tmp_path / "picked.extxyz", ":"), read(results / "designs/OPT.extxyz", ":")
    assert [atoms.info["pick_frame"] for atoms in picked] == [atoms.info["source_frame"] for atoms in chosen]
    assert Counter(atoms.info["source_config_type"] for atoms in chosen) == {"300K": 9, "600K": 5, "900K": 6}
    assert len(read(tmp_path / "more.extxyz", ":")) == 10
    written = [read(tmp_path / "mace" / name, ":") for name in ("train.xyz", "valid.xyz")]
    assert [sum(len(atoms) == 48 for atoms in frames) for frames in written] == [36, 4]
    assert sum(atoms.info["config_type"] == "IsolatedAtom" for atoms in written[0]) == 1


@pytest.mark.parametrize("page", [page for page in followed() if page not in ELSEWHERE])
def test_a_page_does_what_it_says(page: str, tutorial: Path, tmp_path: Path) -> None:
    folder = tmp_path / "copy"
    subprocess.run(["cp", "-a", str(tutorial), str(folder)], check=True)
    names = pages.run(ROOT / "docs" / page, folder)
    CHECKS.get(page, lambda *_: None)(folder, names)


def _extended(folder: Path, _: dict[str, Any]) -> None:
    assert len(read(folder / "all.extxyz", ":")) == 50


def _labelled_elsewhere(folder: Path, _: dict[str, Any]) -> None:
    frames = read(folder / "results/elsewhere/labels/OPT1.extxyz", ":")
    assert len(frames) == 8 and all("REF_energy" in frame.info for frame in frames)


def _put_to_work(folder: Path, names: dict[str, Any]) -> None:
    """LAMMPS's structure comes back as it was written, and QUIP understands the words of its input as the model."""
    from quippy.potential import Potential

    atoms = names["atoms"]
    back = read(folder / "copper.data", format="lammps-data", units="metal", atom_style="atomic")
    assert back.positions == pytest.approx(atoms.positions)
    commands = (folder / "in.copper").read_text()
    model, words, number = re.search(r'^pair_coeff \* \* (\S+) "(.*)" (\d+)$', commands, re.MULTILINE).groups()
    assert int(number) == atoms.numbers[0]
    atoms = atoms[:4]
    atoms.calc = Potential(words, param_filename=str(folder / model))
    assert atoms.get_potential_energy() == pytest.approx(energies(folder / model, [atoms])[0], abs=1e-10)


CHECKS: dict[str, Callable[[Path, dict[str, Any]], None]] = {
    "extend.md": _extended,
    "labels.md": _labelled_elsewhere,
    "potentials.md": _put_to_work,
}
"""Values shown on a page beyond those it prints itself."""


def test_the_set_made_by_hand_is_written(tmp_path: Path) -> None:
    cell = {"AtomTypes": ["W"], "Positions": [[0, 0, 0]], "Lattice": [[3.2, 0, 0], [0, 3.2, 0], [0, 0, 3.2]]}
    for number, group in enumerate(("vacancy", "md_bulk", "left_out")):
        (tmp_path / "JSON" / group).mkdir(parents=True)
        cell["Positions"] = [[number, 0, 0]]
        text = "# a comment\n" + json.dumps({"Dataset": {"Data": [cell]}})
        (tmp_path / "JSON" / group / "1.json").write_text(text)
    pages.run(ROOT / "docs" / "w-entropy.md", tmp_path)
    assert set(pages.LEFT["docs/w-entropy.md"]) <= {path.name for path in tmp_path.iterdir()}
    assert [atoms.positions[0, 0] for atoms in read(tmp_path / "w14.xyz", ":")] == [1, 0]


def test_every_page_that_is_to_be_followed_is() -> None:
    assert set(ELSEWHERE) < set(followed())
    assert {"candidates.md", "design-page.md", "extend.md", "labels.md", "potentials.md", "reduce.md"} <= set(
        followed()
    )
