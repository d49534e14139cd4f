"""Properties of the models of a small study."""

from __future__ import annotations

import re

import numpy as np
import pytest
from ase.build import bulk
from ase.io import read

from conftest import ROOT
from gapdesign.files import read_csv, read_frames
from gapdesign.gap.predict import energies
from gapdesign.properties.calculators import of_model


@pytest.fixture(scope="module")
def table(finished):
    return read_csv(finished.folder / "results/small/properties.csv")


def test_every_model_stands_beside_the_reference(table):
    assert set(table["model"]) == {"OPT", "RND", "reference"}
    assert (table["reason"] == "").all()
    mine = table[(table["model"] == "OPT") & (table["property"] != "phonon_rms")]
    assert mine["reference"].notna().all()
    assert np.allclose(mine["error"], mine["value"] - mine["reference"], rtol=0, atol=1e-12)
    reference = table[table["model"] == "reference"].set_index(["prototype", "property"])["value"]
    assert reference["hcp", "a"] == pytest.approx(3.234, abs=1e-3)  # Mendelev and Ackland's, by ASE's own EAM
    assert reference["bcc", "above"] == pytest.approx(103, abs=0.5)


def test_a_model_evaluates_as_it_predicts_and_its_forces_are_its_gradient(finished):
    folder = finished.folder / "results/small"
    potential = folder / "models/OPT/gp.xml"
    atoms = read_frames(folder / "labels/OPT.extxyz")[0].repeat((1, 1, 2))
    atoms.calc = None
    evaluate, step = of_model(potential), 1e-4
    label = evaluate(atoms)
    assert label.energy == pytest.approx(energies(potential, [atoms])[0], abs=1e-10)
    ends = [atoms.copy(), atoms.copy()]
    for end, sign in zip(ends, (1, -1), strict=True):
        end.positions[0, 1] += sign * step
    up, down = (evaluate(end).energy for end in ends)
    assert label.forces[0, 1] == pytest.approx((down - up) / (2 * step), abs=1e-5)
    stretched = [atoms.copy(), atoms.copy()]
    for end, sign in zip(stretched, (1, -1), strict=True):
        end.set_cell(end.cell * (1 + sign * step), scale_atoms=True)
    up, down = (evaluate(end).energy for end in stretched)
    assert np.trace(label.virial) == pytest.approx((down - up) / (2 * step), abs=1e-3)


def test_the_report_shows_them(finished):
    folder = finished.folder / "results/small"
    page = (folder / "report.html").read_text()
    for words in ("What the models are worth", "hcp C44", "bcc energy above the first", 'id="figure-phonons"'):
        assert words in page
    assert {"constants", "volumes", "dimer", "phonons"} <= {path.stem for path in (folder / "figures").iterdir()}
    assert set(read_csv(folder / "properties/curves.csv")["curve"]) == {"volumes", "dimer", "phonons"}


PAGE = (ROOT / "docs/potentials.md").read_text(encoding="utf-8")


def test_the_code_of_the_page_runs(finished, table, tmp_path, monkeypatch, capsys):
    """It relaxes the crystal as the stage does, and LAMMPS's data file comes back as it was written."""
    in_ase, for_lammps = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    monkeypatch.chdir(tmp_path)
    exec(in_ase.replace("results/zr-demo/models/OPT1", str(finished.folder / "results/small/models/OPT")), {})
    lengths = [float(word) for word in re.findall(r"\d+\.\d+", capsys.readouterr().out)[1:]]
    mine = table[(table["model"] == "OPT") & (table["prototype"] == "hcp")].set_index("property")["value"]
    assert lengths == pytest.approx([mine["a"], mine["a"], mine["c"]], abs=2e-3)
    written = {}
    exec(for_lammps, written)
    back = read("zr.data", format="lammps-data", units="metal", atom_style="atomic")
    assert back.positions == pytest.approx(written["atoms"].positions)


def test_the_string_for_lammps_is_one_that_quip_understands(finished):
    from quippy.potential import Potential

    (words, number) = re.search(r'^pair_coeff \* \* gp\.xml "(.*)" (\d+)$', PAGE, re.MULTILINE).groups()
    atoms = bulk("Zr", "hcp", a=3.23, c=5.15)
    assert int(number) == atoms.numbers[0]
    potential = finished.folder / "results/small/models/OPT/gp.xml"
    atoms.calc = Potential(words, param_filename=str(potential))
    assert atoms.get_potential_energy() == pytest.approx(energies(potential, [atoms])[0], abs=1e-10)
