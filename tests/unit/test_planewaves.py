"""Meshes of k-points and costs: closed forms, and GPAW's own number of electrons."""

import numpy as np
import pytest
from ase.build import bulk

from gapdesign.engines.shared import planewaves
from gapdesign.engines.shared.planewaves import KpointOptions, core_hours, is_mesh, meshes, valence


def full(mesh):
    return np.indices(mesh).reshape(3, -1).T / mesh


def by_time_reversal(mesh):
    """Points of a mesh and weights, with k and -k taken together."""
    points = np.array([point - np.round(point) for point in full(mesh)])
    weights = {}
    for point in np.round(points * mesh).astype(int) % mesh:
        key = min(tuple(point), tuple(-point % mesh))
        weights[key] = weights.get(key, 0) + 1
    return np.array(list(weights)) / mesh, np.array(list(weights.values()))


def test_the_mesh_is_that_of_the_manual_of_vasp():
    """Reciprocal vectors of hcp are 2 / (sqrt(3) a) and 1 / c long."""
    atoms = bulk("Zr", "hcp", a=3.232, c=5.147)
    planar, axial = int(60 * 2 / np.sqrt(3) / 3.232 + 0.5), int(60 / 5.147 + 0.5)
    assert (planar, axial) == (21, 12)
    assert meshes(atoms.cell.array, KpointOptions(length=60)) == [(planar, planar, axial)]
    assert meshes(atoms.cell.array, KpointOptions(length=0.1)) == [(1, 1, 1)]
    assert meshes(atoms.cell.array, KpointOptions(mesh=(3, 4, 5))) == [(3, 4, 5)]


def test_a_length_at_the_brink_of_rounding_allows_both_meshes():
    assert meshes(np.eye(3) * 4.0, KpointOptions(length=10)) == [(3, 3, 3), (2, 2, 2)]


def test_points_are_recognised_with_and_without_time_reversal_and_no_other_mesh_passes():
    mesh = np.array([4, 3, 5])
    for points, weights in ((full(mesh), np.ones(60)), by_time_reversal(mesh)):
        assert is_mesh(points, weights, mesh) and is_mesh(points, weights / 60, mesh)
        for other in ([4, 3, 4], [2, 3, 5], [8, 3, 5], [3, 4, 5]):
            assert not is_mesh(points, weights, other)
    assert not is_mesh(full(mesh) + 0.5 / mesh, np.ones(60), mesh)


def test_costs_grow_with_electrons_points_and_plane_waves():
    atoms, mesh = bulk("Zr", "hcp", a=3.232, c=5.147), KpointOptions(mesh=(2, 2, 2))
    cost = core_hours(atoms, 300, mesh)
    assert core_hours(atoms, 1200, mesh) == pytest.approx(8 * cost)
    assert core_hours(atoms * (2, 1, 1), 300, mesh) == pytest.approx(4 * cost)
    assert core_hours(atoms, 300, KpointOptions(mesh=(4, 4, 2))) == pytest.approx(4 * cost)
    # Plane waves of a free electron gas: V k^3 / 6 pi^2 with k = 1 / Bohr radius at 13.6057 eV.
    waves = atoms.get_volume() / 0.529177**3 / (6 * np.pi**2)
    assert core_hours(atoms, 13.605693, mesh) * 3600 == pytest.approx(planewaves.SECONDS * 4 * 15 * waves, rel=1e-5)


@pytest.mark.parametrize(
    ("number", "electrons"),
    [(1, 1), (6, 4), (8, 6), (13, 3), (14, 4), (22, 12), (26, 8), (29, 11), (31, 3), (40, 12), (74, 14), (79, 11)],
)
def test_valence_is_that_of_usual_data_sets(number, electrons):
    """As GPAW's data sets have it, but for those of Ga (13)."""
    assert valence(number) == electrons
