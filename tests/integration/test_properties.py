"""Properties of the models of a small study."""

from __future__ import annotations

import numpy as np
import pytest

from gapdesign.files import read_csv, read_frames
from gapdesign.models.gap.predict import energies, evaluator


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
    evaluate, step = evaluator(potential), 1e-4
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
