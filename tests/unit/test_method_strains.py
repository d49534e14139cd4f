"""Strains by coordinate exchange: the deformation of its parameters, and a model whose best design is known."""

import numpy as np
import pytest

from gapdesign.methods.d_optimal.optimality import log_det
from gapdesign.methods.d_optimal.strains import optimise, strained
from gapdesign.prototypes import PrototypeOptions, prototypes

CRYSTALS = prototypes(
    {
        "bcc": PrototypeOptions(element="Zr", lattice="bcc", a=3.574),
        "fcc": PrototypeOptions(element="Zr", lattice="fcc", a=4.532),
    }
)


def test_a_strained_crystal_has_the_stretches_asked_for_in_a_turned_frame():
    rng = np.random.default_rng(0)
    for parameters in rng.random((20, 7)):
        atoms = strained(CRYSTALS, parameters, 0.2)
        deformation = atoms.info["deformation"].reshape(3, 3)
        np.testing.assert_allclose(deformation, deformation.T, atol=1e-12)
        expected = np.sort(1 + 0.2 * (2 * parameters[1:4] - 1))
        np.testing.assert_allclose(np.linalg.eigvalsh(deformation), expected)
        perfect = CRYSTALS[int(parameters[0] * 2)]
        assert atoms.info["prototype"] == perfect.name
        np.testing.assert_allclose(atoms.cell[:], perfect.atoms.cell[:] @ deformation.T)


def test_a_model_of_the_volume_is_best_told_by_the_extremes():
    """Energy linear in the volume strain, for one crystal: half of the design at either end of every stretch."""

    def describe(structures):
        deformations = np.array([atoms.info["deformation"].reshape(3, 3) for atoms in structures])
        trace = np.trace(deformations, axis1=1, axis2=2) - 3
        return np.column_stack([np.ones(len(trace)), trace])

    given = {"count": 6, "largest": 0.1, "seed": "s", "values": 3, "refinements": 0, "tries": 8}
    structures, value = optimise(CRYSTALS[:1], describe, **given)
    traces = np.sort(describe(structures)[:, 1])
    np.testing.assert_allclose(traces, [-0.3] * 3 + [0.3] * 3, atol=1e-12)
    assert value == pytest.approx(log_det(describe(structures)))
    assert value == pytest.approx(np.log(6 * 6 * 0.3**2))
    again, _ = optimise(CRYSTALS[:1], describe, **given)
    assert all(np.array_equal(a.positions, b.positions) for a, b in zip(structures, again, strict=True))
    # Beside a set that has the one end already, all go to the other.
    there = np.array([[1.0, 0.3]] * 6)
    structures, _ = optimise(CRYSTALS[:1], describe, existing=there, **given)
    np.testing.assert_allclose(describe(structures)[:, 1], -0.3, atol=1e-12)
