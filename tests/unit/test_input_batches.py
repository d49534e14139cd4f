"""Candidates from whatever sampler: finite, not empty, in cells that hold them, and described in the shortest cell."""

from dataclasses import replace

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk

from gapdesign import samplers
from gapdesign.descriptors import Descriptor
from gapdesign.descriptors.kernel import KernelOptions
from gapdesign.descriptors.options import DescriptorOptions
from gapdesign.errors import InputError
from gapdesign.inputs.batches import ordinary
from gapdesign.prototypes import PrototypeOptions, prototypes
from gapdesign.samplers.options import PoolOptions
from gapdesign.samplers.shared.constraints import too_close
from gapdesign.structures import Batch, nearest_neighbour, pack

ZIRCONIUM = bulk("Zr", "hcp", a=3.232, c=5.147)
SHEAR = np.array([[1, 0, 0], [4000, 1, 0], [-700, 300, 1]])


def broken(kind: str) -> Atoms:
    atoms = ZIRCONIUM.copy()
    if kind == "position":
        atoms.positions[1, 2] = np.nan
    elif kind == "cell":
        atoms.cell[0, 0] = np.inf
    elif kind == "flat":
        atoms.cell[2] *= 1e-3
    elif kind == "dense":
        atoms.set_cell(atoms.cell[:] * 0.15, scale_atoms=True)
    elif kind == "huge":
        atoms.cell[0] *= 1e6
    return Atoms(cell=[3] * 3, pbc=True) if kind == "empty" else atoms


KINDS = {
    "position": "position that is not a finite number",
    "cell": "cell that is not finite",
    "flat": "flat cell",
    "dense": "flat cell",
    "huge": "length beyond",
    "empty": "has no atoms",
}


def sheared() -> Atoms:
    atoms = ZIRCONIUM.copy()
    atoms.set_cell(SHEAR @ atoms.cell[:])
    return atoms


def descriptor(backend: str) -> Descriptor:
    soap = {"r_cut": 5.0, "n_max": 4, "l_max": 3, "sigma": 0.5}
    pair = KernelOptions(pair={"r_cut": 5.0}).pair
    return Descriptor(DescriptorOptions(backend=backend, soap=soap), pair, [40])


@pytest.mark.parametrize("kind", KINDS)
def test_a_sampler_that_makes_no_structure_is_stopped_by_name(monkeypatch, kind):
    def strain(self, draw) -> Batch:
        return pack([broken(kind) if index == 3 else ZIRCONIUM for index in draw.indices], names=self.names)

    monkeypatch.setattr(samplers.SAMPLERS["strain"], "__call__", strain)
    options = PoolOptions(constraints={"min_distance": 0})
    crystals = prototypes({"hcp": PrototypeOptions(element="Zr", lattice="hcp", a=3.232, c=5.147)})
    with pytest.raises(InputError, match=rf"^pools\.strain: candidate 3 of pool A .*{KINDS[kind]}"):
        samplers.sample(options.of("A").sampling, crystals, seed=1, pool="A", start=2, stop=5)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("backend", ["dscribe", "quippy"])
def test_what_is_no_structure_is_never_described(backend, kind):
    with pytest.raises(InputError, match=rf"^candidate 1 .*{KINDS[kind]}"):
        descriptor(backend).features(pack([ZIRCONIUM, broken(kind)]))


@pytest.mark.parametrize("backend", ["dscribe", "quippy"])
def test_a_sheared_cell_has_the_features_of_its_lattice(backend):
    features = descriptor(backend).features(pack([ZIRCONIUM, sheared()]))
    np.testing.assert_allclose(features[1], features[0], atol=1e-7)


@pytest.mark.parametrize("backend", ["dscribe", "quippy"])
@pytest.mark.parametrize("pbc", [(True, True, False), (False, True, False), (False, False, False)])
def test_slabs_wires_and_clusters_are_described_as_what_they_are(backend, pbc):
    atoms = bulk("Zr", "hcp", a=3.232, c=5.147) * (1, 1, 2)
    atoms.pbc = pbc
    apart = atoms.copy()
    apart.set_cell(np.where(pbc, 1, 6)[:, None] * atoms.cell[:])
    apart.pbc = True
    described = descriptor(backend).features(pack([atoms, apart, ZIRCONIUM]))
    np.testing.assert_allclose(described[0], described[1], atol=1e-7)
    assert np.abs(described[0] - described[2]).max() > 0.01


def test_only_sheared_cells_are_reduced():
    batch = pack([ZIRCONIUM, sheared(), bulk("Cu", "fcc", a=3.6)])
    found = ordinary(batch)
    assert found.cells[[0, 2]].tobytes() == batch.cells[[0, 2]].tobytes()
    assert np.linalg.norm(found.cells[1], axis=1).max() < 5.2
    assert not too_close(batch, 0.6).any()
    assert nearest_neighbour(sheared()) == pytest.approx(nearest_neighbour(ZIRCONIUM), abs=1e-9)
    whole = pack([ZIRCONIUM])
    assert ordinary(whole) is whole


def test_notes_have_the_same_bytes_however_batches_are_put_together():
    batch = pack([ZIRCONIUM] * 3, notes=[b"a", b"abc", b"ab"])
    assert batch.take([0, 2]).notes.dtype == "S2"
    assert replace(batch, notes=np.zeros(0, "S1")).notes.tolist() == [b""] * 3
