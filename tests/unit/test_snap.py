"""SNAP's bispectrum: against LAMMPS, finite differences, matrix exponentials, group theory and closed forms."""

import json
from pathlib import Path

import numpy as np
import pytest
from ase import Atoms
from matscipy.neighbours import neighbour_list
from scipy.linalg import expm

from gapdesign.errors import InputError
from gapdesign.samplers.shared.compiled import neighbours
from gapdesign.samplers.shared.differentiable.snap import Snap, SnapOptions, clebsch_gordan, couplings

REFERENCE = json.loads((Path(__file__).parents[1] / "data/snap/reference.json").read_text())
GAS = Atoms("W8", REFERENCE["positions"], cell=REFERENCE["cell"], pbc=True)
SNAP = Snap(SnapOptions(components=14))
ALLOY = Atoms([{1: 41, 2: 42}[kind] for kind in REFERENCE["types"]], GAS.positions, cell=GAS.cell, pbc=True)
OF_ALLOY = Snap(SnapOptions(components=8), [42, 41])


@pytest.mark.parametrize("pbc", [(True, True, True), (True, False, True), (False, False, False)])
@pytest.mark.parametrize("size", [1.6, 4.0, 12.0])
def test_neighbours_are_those_of_matscipy(size, pbc):
    """In a skewed cell of one or many images, of atoms far outside it."""
    generator = np.random.default_rng(2)
    cell = size * (np.eye(3) + 0.4 * generator.normal(size=(3, 3)))
    atoms = Atoms("W9", generator.normal(scale=2 * size, size=(9, 3)), cell=cell, pbc=pbc)
    lists = []
    for first, second, distance, vector in (neighbours(atoms, 4.7), neighbour_list("ijdD", atoms, 4.7)):
        assert (np.diff(first) >= 0).all()
        order = np.lexsort((*np.round(vector.T, 6), second, first))
        lists.append(np.column_stack([first, second, distance, vector])[order])
    np.testing.assert_allclose(*lists, atol=1e-12)


def test_atoms_without_a_cell_have_neighbours():
    first, second, distance, _ = neighbours(Atoms("W2", [[0, 0, 0], [0, 3, 4]]), 5.5)
    np.testing.assert_array_equal([first, second, distance], [[0, 1], [1, 0], [5, 5]])


def test_components_are_those_of_lammps():
    np.testing.assert_allclose(SNAP(GAS), REFERENCE["components"], rtol=1e-12)


def test_gradients_are_those_of_lammps():
    pull = SNAP.pullback(GAS)[1]
    for component, gradient in enumerate(np.moveaxis(REFERENCE["gradients"], 2, 0)):
        slope = np.zeros((8, 14))
        slope[:, component] = 1
        np.testing.assert_allclose(pull(slope), gradient, atol=1e-12)


def test_components_of_two_elements_are_those_of_lammps():
    np.testing.assert_allclose(OF_ALLOY(ALLOY), REFERENCE["components_of_alloy"], rtol=1e-12)


def test_gradients_of_two_elements_are_those_of_lammps():
    pull = OF_ALLOY.pullback(ALLOY)[1]
    for component, gradient in enumerate(np.moveaxis(REFERENCE["gradients_of_alloy"], 2, 0)):
        np.testing.assert_allclose(pull(np.eye(64)[[component] * 8]), gradient, atol=1e-12)


def test_densities_of_all_elements_together_are_the_density_of_atoms_that_are_alike():
    """Every component is linear in each of its three densities, so the sum over all choices is that of their sum."""
    summed = Snap(SnapOptions(components=6), [40, 41, 42])(ALLOY).reshape(8, 27, 6).sum(axis=1)
    np.testing.assert_allclose(summed, Snap(SnapOptions(components=6))(ALLOY), rtol=1e-12)


def test_atoms_of_another_element_are_refused_in_one_sentence():
    with pytest.raises(InputError, match=r"^pools\.entropy\.descriptor\.snap: made for Nb, Mo, and not for W\.$"):
        OF_ALLOY(GAS)


@pytest.mark.parametrize("components", [14, 55])
def test_gradient_is_that_of_finite_differences(components):
    snap = Snap(SnapOptions(components=components))
    slope = np.random.default_rng(1).normal(size=(8, components))
    found, step = np.empty((8, 3)), 1e-5
    for index in np.ndindex(found.shape):
        above, below = GAS.copy(), GAS.copy()
        above.positions[index] += step
        below.positions[index] -= step
        found[index] = (slope * (snap(above) - snap(below))).sum() / (2 * step)
    np.testing.assert_allclose(snap.pullback(GAS)[1](slope), found, atol=1e-7 * np.abs(found).max())


def test_all_components_are_those_of_rotations_as_matrix_exponentials():
    """Thompson et al., equations 4 and 5, with every sum over states written out."""
    r_cut, angle = 4.73442, 0.99363
    expansions = [np.array([np.eye(n + 1, dtype=complex)] * len(GAS)) for n in range(9)]
    for i, r, vector in zip(*neighbour_list("idD", GAS, r_cut), strict=True):
        for n, expansion in enumerate(expansions):
            k = np.arange(n + 1)
            up = np.diag(np.sqrt((n - k) * (k + 1))[:-1], -1)
            momentum = [(up + up.T) / 2, (up - up.T) / 2j, np.diag(k - n / 2)]
            turn = sum(x / r * j for x, j in zip(vector, momentum, strict=True))
            expansion[i] += (0.5 + 0.5 * np.cos(np.pi * r / r_cut)) * expm(2j * angle * np.pi * r / r_cut * turn)
    found = []
    for j1, j2, j in couplings(8):
        coupling = np.zeros((j + 1, j1 + 1, j2 + 1))
        for (a, b), value in np.ndenumerate(clebsch_gordan(j1, j2, j)):
            if value:
                coupling[a + b - (j1 + j2 - j) // 2, a, b] = value
        products = np.einsum("mac,nbd,zab,zcd->zmn", coupling, coupling, expansions[j1], expansions[j2], optimize=True)
        found.append(np.einsum("zmn,zmn->z", expansions[j].conj(), products).real)
    np.testing.assert_allclose(Snap(SnapOptions(components=55))(GAS), np.transpose(found), rtol=1e-11)


def test_the_first_component_is_the_cube_of_the_density():
    lone, r = Atoms("W", cell=[20] * 3, pbc=True), 2.5
    pair = Atoms("W2", [[1, 2, 3], [1, 2, 3 + r]], cell=[20] * 3, pbc=True)
    weight = 0.5 + 0.5 * np.cos(np.pi * r / 4.73442)
    np.testing.assert_allclose(SNAP(pair)[:, 0], (1 + weight) ** 3, rtol=1e-12)
    # An atom without neighbours is the identity: each product couples to the dimension of what it makes.
    np.testing.assert_allclose(SNAP(lone)[0], [j + 1 for _, _, j in couplings(8)[:14]], rtol=1e-12)


def test_an_atom_without_neighbours_leaves_the_others_as_they_are():
    more = GAS.copy()
    more.set_cell([30, 30, 30])
    alone = Atoms("W", [[20, 20, 20]], cell=more.cell, pbc=True) + more + Atoms("W", [[25, 20, 20]])
    assert np.array_equal(SNAP(alone)[1:9], SNAP(more))
    gradient = SNAP.pullback(alone)[1](np.ones((10, 14)))
    np.testing.assert_array_equal(gradient[[0, 9]], 0)
    np.testing.assert_allclose(gradient[1:9], SNAP.pullback(more)[1](np.ones((8, 14))), atol=1e-12)


@pytest.mark.parametrize(("j1", "j2"), [(1, 1), (2, 1), (3, 2), (4, 4)])
def test_coupled_states_are_orthonormal_and_complete(j1, j2):
    """Those of all spins that j1 and j2 make: a basis of the (j1 + 1)(j2 + 1) products."""
    states = []
    for j in range(abs(j1 - j2), j1 + j2 + 1, 2):
        coefficients, lost = clebsch_gordan(j1, j2, j), (j1 + j2 - j) // 2
        for m in range(j + 1):
            state = np.zeros_like(coefficients)
            for a, b in np.argwhere(coefficients):
                state[a, b] = coefficients[a, b] * (a + b - lost == m)
            states.append(state.ravel())
    np.testing.assert_allclose(np.array(states) @ np.array(states).T, np.eye((j1 + 1) * (j2 + 1)), atol=1e-12)


def test_coefficients_are_those_of_the_tables():
    """Varshalovich et al., table 8.1: two halves make a singlet and a triplet."""
    np.testing.assert_allclose(clebsch_gordan(1, 1, 0), np.array([[0, -1], [1, 0]]) / np.sqrt(2), atol=1e-15)
    np.testing.assert_allclose(clebsch_gordan(1, 1, 2), [[1, np.sqrt(0.5)], [np.sqrt(0.5), 1]], atol=1e-15)


def test_there_are_as_many_components_as_lammps_has():
    assert len(couplings(8)) == 55
    assert couplings(8)[:8] == [(0, 0, 0), (1, 0, 1), (1, 1, 2), (2, 0, 2), (2, 1, 3), (2, 2, 2), (2, 2, 4), (3, 0, 3)]


def test_more_components_than_there_are_is_refused_in_one_sentence():
    with pytest.raises(InputError, match=r"^pools\.entropy\.descriptor\.snap\.components: there are 5 components up"):
        Snap(SnapOptions(two_j_max=2))
