"""Features: against double sums and other programs, and the symmetries that a description of a crystal must have."""

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk, make_supercell

from finite_differences import check_sums
from gapdesign.descriptors import Descriptor, layout
from gapdesign.descriptors.base import Centers
from gapdesign.descriptors.dscribe import DscribeDescriptor
from gapdesign.descriptors.kernel import PairKernelOptions
from gapdesign.descriptors.options import ChosenDescriptor, DescriptorOptions
from gapdesign.descriptors.pairs import PairFeatures, fade
from gapdesign.descriptors.quippy import QuippyDescriptor
from gapdesign.descriptors.soap import SoapOptions
from gapdesign.errors import InputError
from gapdesign.prototypes import PrototypeOptions, deformation_orbits, prototypes
from gapdesign.samplers import sample
from gapdesign.samplers.options import PoolOptions
from gapdesign.structures import Batch, pack

BACKENDS = ["dscribe", "quippy"]
SMALL = SoapOptions(r_cut=5.0, n_max=4, l_max=4, sigma=0.5)
PAIR = PairKernelOptions()


def descriptor(species, backend="dscribe", soap=SMALL, pair=PAIR) -> Descriptor:
    return Descriptor(DescriptorOptions(backend=backend, soap=soap), pair, species)


def zirconium() -> Atoms:
    atoms = bulk("Zr", "hcp", a=3.232, c=5.147)
    strain = np.array([[1.08, 0.03, -0.04], [0.03, 0.95, 0.05], [-0.04, 0.05, 1.02]])
    atoms.set_cell(atoms.cell[:] @ strain, scale_atoms=True)
    return atoms


def alloy() -> Atoms:
    """Cu2Zr2 without any symmetry."""
    atoms = bulk("CuZr", "cesiumchloride", a=3.26) * (2, 1, 1)
    atoms.rattle(0.15, seed=4)
    return atoms


CASES = {"zirconium": (zirconium(), [40]), "alloy": (alloy(), [29, 40]), "silica": (None, [8, 14])}
CASES["silica"] = (
    Atoms(
        "SiOO",
        scaled_positions=[[0.02, 0.01, 0.03], [0.31, 0.33, 0.28], [0.69, 0.65, 0.73]],
        cell=[[3.1, 0, 0], [0.4, 3.6, 0], [0.2, 0.5, 4.0]],
        pbc=True,
    ),
    [8, 14],
)


def distances(atoms: Atoms, r_cut: float) -> list[tuple[int, int, float]]:
    """All ordered pairs (number, number, distance) below the cutoff, by enumerating images."""
    heights = atoms.cell.volume / np.linalg.norm(
        np.cross(np.roll(atoms.cell[:], -1, axis=0), np.roll(atoms.cell[:], -2, axis=0)), axis=1
    )
    reach = np.ceil(r_cut / heights).astype(int) + 1
    steps = np.stack(np.meshgrid(*[np.arange(-r, r + 1) for r in reach]), axis=-1).reshape(-1, 3) @ atoms.cell[:]
    found = []
    for i, p in enumerate(atoms.positions):
        for j, q in enumerate(atoms.positions):
            length = np.linalg.norm(q - p + steps, axis=1)
            found += [
                (atoms.numbers[i], atoms.numbers[j], r) for r in length[(length > 1e-9) & (length < r_cut)].tolist()
            ]
    return found


def double_sum(one: Atoms, other: Atoms, options: PairKernelOptions) -> float:
    """The pair kernel by its definition: Gaussians of all differences of distances, faded as QUIP does."""
    total = 0.0
    kinds = {}
    for side, atoms in enumerate((one, other)):
        for a, b, r in distances(atoms, options.r_cut):
            kinds.setdefault((min(a, b), max(a, b)), ([], []))[side].append(r)
    for left, right in kinds.values():
        a, b = np.array(left), np.array(right)
        weight = [
            np.where(
                r < options.r_cut - options.transition,
                1,
                (1 + np.cos(np.pi * (r - options.r_cut + options.transition) / options.transition)) / 2,
            )
            for r in (a, b)
        ]
        gaussians = np.exp(-((a[:, None] - b) ** 2) / (2 * options.length**2))
        total += weight[0] @ gaussians @ weight[1] if len(a) and len(b) else 0.0
    return total


def pair_features(atoms: Atoms, options: PairKernelOptions, species) -> np.ndarray:
    every = np.arange(len(atoms))
    return PairFeatures(options, species)(pack([atoms]), Centers.of_one(every))[0]


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("shape", [(7.0, 0.3, 0.5), (5.0, 0.1, 1.5), (6.0, 1.0, 0.5), (4.5, 2.0, 2.0)])
def test_the_dot_product_of_pair_features_is_the_double_sum_of_gaussians(name, shape):
    atoms, species = CASES[name]
    options = PairKernelOptions(r_cut=shape[0], length=shape[1], transition=shape[2])
    other = atoms.copy()
    other.set_cell(atoms.cell[:] * 1.07, scale_atoms=True)
    p, q = pair_features(atoms, options, species), pair_features(other, options, species)
    expected = np.array([double_sum(*pair, options) for pair in ((atoms, atoms), (atoms, other), (other, other))])
    # The constant that the smearing brings cancels in the normalised kernel and in every ratio.
    values = np.array([p @ p, p @ q, q @ q])
    np.testing.assert_allclose(values / values[0], expected / expected[0], rtol=1e-6)
    width, step = options.length / np.sqrt(2), 0.8 * options.length / np.sqrt(2)
    np.testing.assert_allclose(values * step / (width * np.sqrt(np.pi)), expected, rtol=1e-6)


def test_pairs_of_different_species_do_not_meet():
    """Swapping the two elements moves the like pairs to the other's block and leaves the unlike ones."""
    atoms = alloy()
    swapped = atoms.copy()
    swapped.numbers = np.where(atoms.numbers == 29, 40, 29)
    blocks, moved = (pair_features(a, PAIR, [29, 40]).reshape(3, -1) for a in (atoms, swapped))
    np.testing.assert_allclose(moved[[2, 1, 0]], blocks, rtol=1e-12)
    assert not np.allclose(blocks[0], blocks[2])
    pure = pair_features(zirconium(), PAIR, [29, 40]).reshape(3, -1)
    assert not pure[:2].any()
    np.testing.assert_allclose(pure[2], pair_features(zirconium(), PAIR, [40]), rtol=1e-12)


def test_fading_is_quips():
    from quippy.descriptors import Descriptor as Quip

    quip = Quip("distance_2b cutoff=7.0 cutoff_transition_width=0.5 Z1=40 Z2=40")
    for r in (2.0, 6.4999, 6.5, 6.6, 6.75, 6.9, 6.9999):
        dimer = Atoms("Zr2", positions=[[0, 0, 0], [0, 0, r]], cell=[30, 30, 30], pbc=True)
        # QUIP counts a pair once for its descriptor; its covariance carries the cutoff function.
        factor = quip.calc(dimer)["covariance_cutoff"]
        np.testing.assert_allclose(fade(np.array([r]), 7.0, 0.5), factor[:1], atol=1e-12)
    assert fade(np.array([7.0, 8.0]), 7.0, 0.5).tolist() == [0, 0]


def rotated(atoms: Atoms) -> Atoms:
    turned = atoms.copy()
    turned.rotate(37, (1, 2, -0.5), rotate_cell=True)
    return turned


def shuffled(atoms: Atoms) -> Atoms:
    moved = (atoms * (1, 2, 1))[np.random.default_rng(0).permutation(2 * len(atoms))]
    moved.positions += [0.3, -1.7, 0.4]
    moved.positions[0] += 3 * moved.cell[1] - moved.cell[2]
    return moved


SAME_CRYSTAL = {
    "rotated": rotated,
    "supercell": lambda atoms: atoms * (2, 2, 2),
    "skewed cell": lambda atoms: make_supercell(atoms, [[1, 1, 0], [0, 1, 0], [-1, 0, 1]]),
    "atoms in another order, moved and unwrapped": shuffled,
}


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("change", SAME_CRYSTAL)
@pytest.mark.parametrize("name", ["zirconium", "alloy"])
def test_the_same_crystal_has_the_same_features(name, change, backend):
    atoms, species = CASES[name]
    features = descriptor(species, backend).features(pack([atoms, SAME_CRYSTAL[change](atoms)]))
    np.testing.assert_allclose(features[1], features[0], atol=2e-7)


@pytest.mark.parametrize("backend", BACKENDS)
def test_another_crystal_has_other_features(backend):
    scaled = zirconium()
    scaled.set_cell(scaled.cell[:] * 1.01, scale_atoms=True)
    features = descriptor([40], backend).features(pack([zirconium(), scaled]))
    soap = slice(0, layout(DescriptorOptions(backend=backend, soap=SMALL), PAIR, [40]).spectrum)
    assert np.abs(features[0, soap] - features[1, soap]).max() > 1e-4
    assert np.abs(features[0] - features[1])[soap.stop :].max() > 1e-4


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("name", CASES)
def test_the_layout_tells_where_the_parts_are_and_each_has_unit_length(name, backend):
    atoms, species = CASES[name]
    describe = descriptor(species, backend)
    features = describe.features(pack([atoms]))
    plan = layout(DescriptorOptions(backend=backend, soap=SMALL), PAIR, species)
    assert plan == describe.layout
    assert features.shape == (1, plan.dimension)
    assert features.dtype == np.float32
    for part in (*plan.soap, plan.composition, plan.pair):
        if part is not None:
            np.testing.assert_allclose(np.linalg.norm(features[0, part].astype(float)), 1, rtol=1e-6)
    if plan.composition is not None:
        counts = [np.sum(atoms.numbers == z) for z in species]
        np.testing.assert_allclose(features[0, plan.composition], counts / np.linalg.norm(counts), rtol=1e-6)


@pytest.mark.parametrize("name", CASES)
def test_a_kernel_without_pairs_has_features_without_them(name):
    atoms, species = CASES[name]
    with_pairs, without = descriptor(species), descriptor(species, pair=PairKernelOptions(scale=0).shape)
    assert without.layout.dimension == with_pairs.layout.dimension - with_pairs.layout.pairs
    rest = np.delete(with_pairs.features(pack([atoms]))[0], np.r_[with_pairs.layout.pair])
    np.testing.assert_array_equal(without.features(pack([atoms]))[0], rest)


def test_an_absent_species_leaves_zeros():
    describe = descriptor([29, 40])
    row = describe.features(pack([zirconium()]))[0]
    assert not row[describe.layout.soap[0]].any()
    assert row[describe.layout.composition].tolist() == [0, 1]
    np.testing.assert_allclose(np.linalg.norm(row[describe.layout.soap[1]]), 1, rtol=1e-6)


@pytest.mark.parametrize("name", CASES)
def test_soap_features_are_the_mean_of_dscribe_spectra_of_all_atoms(name):
    from dscribe.descriptors import SOAP

    atoms, species = CASES[name]
    soap = SOAP(species=species, r_cut=5.0, n_max=4, l_max=4, sigma=0.5, rbf="gto", periodic=True).create(atoms)
    soap /= np.linalg.norm(soap, axis=1)[:, None]
    describe = descriptor(species)
    row = describe.features(pack([atoms]))[0]
    for z, part in zip(species, describe.layout.soap, strict=True):
        mean = soap[atoms.numbers == z].mean(axis=0)
        np.testing.assert_allclose(row[part], mean / np.linalg.norm(mean), atol=1e-7)


@pytest.mark.parametrize("name", CASES)
def test_soap_features_are_the_mean_of_what_quip_says_itself(name):
    from quippy.descriptors import Descriptor as Quip

    atoms, species = CASES[name]
    describe = descriptor(species, "quippy")
    row = describe.features(pack([atoms]))[0]
    listed = " ".join(map(str, species))
    for z, part in zip(species, describe.layout.soap, strict=True):
        quip = Quip(
            f"soap cutoff=5.0 l_max=4 n_max=4 normalize=T atom_sigma=0.5 n_Z=1 Z={{{z}}}"
            f" n_species={len(species)} species_Z={{{listed}}}"
        )
        mean = quip.calc_descriptor(atoms).mean(axis=0)
        np.testing.assert_allclose(row[part], mean / np.linalg.norm(mean), atol=1e-7)


COMPRESSIONS = [
    ("dscribe", "one_element"),
    ("dscribe", "no_elements"),
    ("quippy", "one_element"),
    ("quippy", "one_element_one_radial"),
    ("quippy", "no_elements"),
]


@pytest.mark.parametrize(("backend", "compression"), COMPRESSIONS)
def test_compressed_spectra_are_shorter_and_of_the_same_crystal(backend, compression):
    soap = SMALL.model_copy(update={"compression": compression})
    describe = descriptor([29, 40], backend, soap)
    length = {"one_element": 2 * 4**2 * 5, "one_element_one_radial": 2 * 4 * 5, "no_elements": 4 * 5 // 2 * 5}
    assert describe.layout.spectrum == length[compression] + (backend == "quippy")
    changes = [change(alloy()) for change in SAME_CRYSTAL.values()]
    features = describe.features(pack([alloy(), *changes]))
    for row in features[1:]:
        np.testing.assert_allclose(row, features[0], atol=3e-7)
    rattled = alloy()
    rattled.rattle(0.05, seed=3)
    assert np.abs(describe.features(pack([rattled])) - features[0])[:, : describe.layout.composition.start].max() > 1e-3


def test_a_compressed_spectrum_is_the_sum_of_the_full_one_over_elements():
    """Darby et al. 2022: of both neighbours, or of one of them."""
    from dscribe.descriptors import SOAP

    full = SOAP(species=[29, 40], r_cut=5.0, n_max=4, l_max=4, sigma=0.5, rbf="gto", periodic=True)
    spectra, degrees, n = full.create(alloy()), 5, 4
    same = {}
    for pair in ("Cu", "Zr"):
        upper = spectra[:, full.get_location((pair, pair))].reshape(-1, degrees, n * (n + 1) // 2)
        same[pair] = np.zeros((len(spectra), degrees, n, n))
        same[pair][..., *np.triu_indices(n)] = same[pair][..., *np.triu_indices(n)[::-1]] = upper
    unlike = spectra[:, full.get_location(("Cu", "Zr"))].reshape(-1, degrees, n, n)
    expected = {
        "no_elements": (same["Cu"] + same["Zr"] + unlike + unlike.swapaxes(2, 3))[..., *np.triu_indices(n)],
        "one_element": np.concatenate([same["Cu"] + unlike, same["Zr"] + unlike.swapaxes(2, 3)]),
    }
    for compression, values in expected.items():
        options = SMALL.model_copy(update={"compression": compression})
        found = DscribeDescriptor(options, [29, 40])(pack([alloy()]), 0, np.arange(4))
        for atom, row in enumerate(found):
            mine = values[[atom, 4 + atom]] if compression == "one_element" else values[atom]
            np.testing.assert_allclose(np.sort(row), np.sort(mine.ravel()), rtol=1e-9)


def test_a_compression_that_a_program_lacks_is_refused():
    sentence = r"^descriptor\.soap\.compression: dscribe has no 'one_element_one_radial'; choose from none, one_element"
    with pytest.raises(InputError, match=sentence):
        descriptor([29, 40], "dscribe", SMALL.model_copy(update={"compression": "one_element_one_radial"}))


@pytest.mark.parametrize(("backend", "sigma"), [("dscribe", 0.5), ("quippy", 0.15)])
def test_at_the_papers_size_a_turned_crystal_is_the_same(backend, sigma):
    """BR section 3.1: cutoff 6.8, n_max = l_max = 10; QUIP's vector has 606 components."""
    describe = descriptor([40], backend, SoapOptions(r_cut=6.8, n_max=10, l_max=10, sigma=sigma))
    assert describe.layout.spectrum == {"dscribe": 605, "quippy": 606}[backend]
    features = describe.features(pack([zirconium(), rotated(zirconium())]))
    np.testing.assert_allclose(features[1], features[0], atol=2e-7)


def strained(names: dict[str, PrototypeOptions], n: int) -> Batch:
    return sample(PoolOptions().sampling, prototypes(names), seed=1, pool="A", start=0, stop=n)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize(
    ("crystal", "species"),
    [
        ({"element": "Zr", "lattice": "hcp", "a": 3.232, "c": 5.147}, [40]),
        ({"element": "Si", "lattice": "diamond", "a": 5.43}, [14]),
        ({"element": "CuZr", "lattice": "cesiumchloride", "a": 3.26}, [29, 40]),
    ],
)
def test_one_atom_of_an_orbit_stands_for_all(backend, crystal, species):
    batch = strained({"mine": PrototypeOptions(**crystal)}, 6)
    each_its_own = pack([batch.atoms(k) for k in range(6)])
    assert each_its_own.orbits.tolist() == [0, 1] * 6
    describe = descriptor(species, backend)
    np.testing.assert_allclose(describe.features(batch), describe.features(each_its_own), atol=2e-7)


def test_orbits_count_as_often_as_they_have_atoms():
    """A rattled cell doubled: each of its atoms now stands for two, and one species has more atoms."""
    atoms = bulk("CuZr", "cesiumchloride", a=3.26) * (2, 1, 1)
    atoms.numbers = [29, 40, 40, 40]
    atoms.rattle(0.1, seed=1)
    doubled = atoms * (1, 1, 2)
    orbits = deformation_orbits(doubled)
    assert np.unique(orbits, return_counts=True)[1].tolist() == [2, 2, 2, 2]
    features = descriptor([29, 40]).features(pack([atoms, doubled], orbits=[np.arange(4), orbits]))
    np.testing.assert_allclose(features[1], features[0], atol=2e-7)


ZIRCONIUM = {
    "hcp": PrototypeOptions(element="Zr", lattice="hcp", a=3.232, c=5.147),
    "bcc": PrototypeOptions(element="Zr", lattice="bcc", a=3.574),
}


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_candidate_alone_has_bit_for_bit_the_features_it_has_in_a_batch(backend):
    batch = strained(ZIRCONIUM, 12)
    together = descriptor([40], backend).features(batch)
    alone = np.concatenate([descriptor([40], backend).features(batch.take([k])) for k in range(12)])
    backwards = descriptor([40], backend).features(batch.take(range(11, -1, -1)))[::-1]
    assert together.tobytes() == alone.tobytes() == backwards.tobytes()


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_structure_without_neighbours_is_refused_by_its_index(backend):
    lonely = Atoms("Zr", cell=[30, 30, 30], pbc=True, info={"candidate": 4711})
    with pytest.raises(InputError, match=r"^candidate 4711: .*descriptor\.soap\.r_cut.*kernel\.pair\.r_cut"):
        descriptor([40], backend).features(pack([zirconium(), lonely]))


def test_an_unknown_backend_is_no_option():
    with pytest.raises(ValueError, match="backend"):
        DescriptorOptions(backend="dscrib")


def test_derivatives_are_of_descriptors_that_have_them():
    sentence = r"^descriptor\.backend: 'dscribe' has no derivatives by positions; choose from ace, mace, nep, quippy,"
    with pytest.raises(InputError, match=rf"{sentence} sevennet\.$"):
        descriptor([40]).derivatives(pack([zirconium()]), 0)


def test_the_chosen_descriptor_is_the_same_without_the_options_of_others():
    whole = DescriptorOptions(backend="quippy", soap=SMALL)
    chosen = ChosenDescriptor.model_validate_json(whole.chosen.model_dump_json())
    assert (chosen, chosen.options) == (whole.chosen, SMALL)
    batch = pack([zirconium()])
    one, other = (Descriptor(options, PAIR, [40]).features(batch) for options in (whole, chosen))
    assert one.tobytes() == other.tobytes()


def test_derivatives_of_quip_are_finite_differences():
    options = SoapOptions(r_cut=4.0, n_max=3, l_max=2)
    check_sums(QuippyDescriptor(options, [29, 40]), alloy(), tolerance=1e-8)
