"""Every sampler of the table: a pool is the same however it is cut, and holds what its options say."""

import itertools
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from ase.data import covalent_radii
from ase.io import read, write
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from gapdesign import samplers
from gapdesign.cells import volumes_and_heights
from gapdesign.errors import InputError
from gapdesign.prototypes import PrototypeOptions, prototypes
from gapdesign.samplers import SAMPLERS, sample
from gapdesign.samplers.options import PoolOptions
from gapdesign.samplers.shared import frames
from gapdesign.samplers.shared.constraints import ConstraintOptions, count, too_close
from gapdesign.samplers.shared.crystals import emptiest, places, supercell
from gapdesign.structures import Batch, concatenate, pack, write_batch

CRYSTALS = prototypes({
    "hcp": PrototypeOptions(element="Zr", lattice="hcp", a=3.232, c=5.147),
    "b2": PrototypeOptions(element="CuZr", lattice="cesiumchloride", a=3.26),
})  # fmt: skip
ZIRCONIUM = CRYSTALS[:1]
SIZE = 14
SMALL_MD = {"atoms": 2, "equilibration": 2, "interval": 2, "frames_per_trajectory": 4, "temperature": 300}
OPTIONS = {
    "supercell": {"atoms": 8},
    "surface": {"max_index": 1},
    "random": {"atoms": [2, 6]},
    "md": SMALL_MD,
    "biased": {
        "atoms": 2,
        "equilibration": 2,
        "interval": 2,
        "longest": 4,
        "structures_per_trajectory": 4,
        "temperature": 300,
        "descriptor": {"arguments": {"two_j_max": 1}},
    },
    "entropy": {
        "element": "Zr",
        "atoms": 2,
        "cell": [5.5, 5.5, 6.5],
        "scale_frames": 2,
        "steps": 4,
        "relaxation": 2,
        "shuffle": 2,
        "temperature": 300,
        "final_temperature": 300,
        "descriptor": {"snap": {"components": 2}},
    },
}
QUICK = settings(max_examples=5, deadline=None, derandomize=True, database=None)


def identical(one: Batch, other: Batch) -> bool:
    return one.names == other.names and all(
        getattr(one, field.name).dtype == getattr(other, field.name).dtype
        and getattr(one, field.name).tobytes() == getattr(other, field.name).tobytes()
        for field in fields(Batch)
        if field.name != "names"
    )


@pytest.fixture(scope="module")
def structures(tmp_path_factory) -> Path:
    """A file of frames, each of a volume of its own."""
    path = tmp_path_factory.mktemp("frames") / "mine.extxyz"
    write(path, [scaled(1 + 0.01 * k) for k in range(2 * SIZE)])
    return path


def scaled(factor: float) -> Atoms:
    atoms = bulk("Zr", "hcp", a=3.232, c=5.147)
    atoms.set_cell(atoms.cell[:] * factor, scale_atoms=True)
    return atoms


def options(sampler: str, structures: Path, **more) -> PoolOptions:
    blocks = {**OPTIONS, "file": {"path": str(structures)}, **more}
    if sampler == "mixture":
        blocks["mixture"] = {name: 1 for name in SAMPLERS}
    return PoolOptions(sampler=sampler, **blocks)


def make(pool_options: PoolOptions, start: int = 0, stop: int = SIZE, *, pool: str = "A", crystals=None) -> Batch:
    crystals = crystals or (ZIRCONIUM if {"md", "biased"} & {*pool_options.members} else CRYSTALS)
    return sample(pool_options.of(pool).sampling, crystals, seed=3, pool=pool, start=start, stop=stop)


@pytest.mark.parametrize("sampler", [*SAMPLERS, "mixture"])
def test_a_pool_is_the_same_however_it_is_cut(sampler, structures):
    # Tight enough that many candidates are drawn again.
    chosen = options(sampler, structures, constraints={"min_distance": 0.8, "redraws": 1000})
    whole = make(chosen)
    assert whole.candidates.tolist() == list(range(SIZE))
    assert not too_close(whole, 0.8).any()

    @QUICK
    @given(cuts=st.sets(st.integers(1, SIZE - 1), max_size=4))
    def check(cuts):
        edges = [0, *sorted(cuts), SIZE]
        parts = [make(chosen, start, stop) for start, stop in itertools.pairwise(edges)]
        assert identical(concatenate(parts), whole)

    check()
    assert not identical(make(chosen, pool="B"), whole)


@pytest.mark.parametrize("sampler", sorted({*SAMPLERS} - {"file"}))
def test_every_sampler_makes_different_periodic_structures(sampler, structures):
    batch = make(options(sampler, structures))
    assert batch.pbc.all()
    volumes = volumes_and_heights(batch.cells)[0]
    moves = sampler in ("md", "biased", "entropy")  # and keeps its cell
    different = {batch.atoms(k).positions.round(6).tobytes() for k in range(SIZE)} if moves else set(volumes.round(6))
    assert len(different) > SIZE // 2
    assert np.isfinite(batch.positions).all()


def test_a_mixture_has_its_shares_and_each_member_the_candidates_it_would_make_alone(structures):
    mixed = options("strain", structures).model_copy(
        update={"sampler": "mixture", "mixture": {"strain": 3.0, "volume": 1.0}}
    )
    batch = make(mixed, 0, 4000)
    alone = {name: make(options(name, structures), 0, 4000) for name in ("strain", "volume")}
    of_volume = np.abs(batch.deformations - batch.deformations[:, :1, :1] * np.eye(3)).max(axis=(1, 2)) < 1e-12
    assert stats.binomtest(int(of_volume.sum()), 4000, 0.25).pvalue > 1e-3
    expected = np.where(of_volume[:, None, None], alone["volume"].cells, alone["strain"].cells)
    assert np.array_equal(batch.cells, expected)
    turned = mixed.model_copy(update={"mixture": {"volume": 0.25, "strain": 0.75}})
    assert identical(make(turned, 0, 400), batch.take(range(400)))


def test_shares_of_a_mixture_do_not_depend_on_what_is_refused(structures):
    mixture = {"strain": 1.0, "volume": 1.0}
    free, tight = (
        make(PoolOptions(sampler="mixture", mixture=mixture, constraints={"min_distance": d, "redraws": 500}), 0, 300)
        for d in (0, 0.85)
    )
    assert (tight.attempts > 0).sum() > 50

    def hydrostatic(batch):
        return np.abs(batch.deformations[:, 0, 1]) < 1e-12

    assert np.array_equal(hydrostatic(free), hydrostatic(tight))


def test_rattled_atoms_move_by_gaussians_of_their_radius():
    batch = make(PoolOptions(sampler="rattle", rattle={"strain": 0, "amplitude": 0.2, "atoms": 2}), 0, 3000)
    zr = batch.take(np.flatnonzero(batch.prototypes == 1))
    perfect = CRYSTALS[1].atoms
    moved = (zr.positions.reshape(-1, 2, 3) - perfect.positions) / covalent_radii[perfect.numbers][:, None]
    # A Gaussian of a deviation uniform in [0, 0.2]: variance 0.04/3, and two thirds of the first moment's square.
    np.testing.assert_allclose(moved.std(), 0.2 / np.sqrt(3), rtol=0.03)
    width = np.sqrt((moved**2).mean(axis=(1, 2)))
    assert np.corrcoef(width, np.abs(moved[:, 0, 0]))[0, 1] > 0.3
    assert (zr.cells == perfect.cell[:]).all()


def test_supercells_are_repeated_along_the_shortest_extent():
    cube = prototypes({"sc": PrototypeOptions(element="Zr", lattice="sc", a=3.0)})[0]
    assert np.array_equal(np.diag(supercell(cube, 27).cell[:]), [9, 9, 9])
    assert len(supercell(CRYSTALS[0], 32)) >= 32
    assert supercell(CRYSTALS[0], 32).info == {"prototype": "hcp"}


@pytest.mark.parametrize(
    ("kind", "change"), [("vacancy", {-1}), ("interstitial", {1}), ("substitution", {0})], ids=lambda item: str(item)
)
def test_defects_change_the_number_of_atoms_as_they_should(kind, change):
    kinds = {name: float(name == kind) for name in ("vacancy", "interstitial", "substitution")}
    block = {"atoms": 16, "defects": 1, "kinds": kinds, "amplitude": 0, "strain": 0}
    batch = make(PoolOptions(sampler="supercell", supercell=block), 0, 20)
    for k in range(20):
        atoms, perfect = batch.atoms(k), supercell(CRYSTALS[batch.prototypes[k]], 16)
        assert {len(atoms) - len(perfect)} == change
        if kind == "substitution":
            assert (atoms.numbers != perfect.numbers).sum() == 1


def test_the_emptiest_place_is_far_from_all_atoms():
    atoms = bulk("Zr", "fcc", a=4.532, cubic=True)
    generator = np.random.default_rng(1)
    found = emptiest(atoms, generator, trials=4000)
    hole = np.array([0.5, 0.5, 0.5])  # the octahedral site, half a cell edge from its neighbours
    scaled_place = found / 4.532
    images = (np.stack(np.meshgrid(*[[0, 0.5]] * 3), -1).reshape(-1, 3) + hole) % 1
    octahedral = images[np.isclose((images * 2).sum(axis=1) % 2, 1)]
    apart = scaled_place - octahedral
    assert np.linalg.norm(apart - np.rint(apart), axis=1).min() < 0.08


def test_occupations_follow_the_composition():
    fixed = PoolOptions(sampler="occupation", occupation={"composition": {"Cu": 1, "Zr": 3}, "atoms": 16})
    numbers = make(fixed, 0, 200).numbers
    assert stats.binomtest(int((numbers == 29).sum()), len(numbers), 0.25).pvalue > 1e-3
    free = make(PoolOptions(sampler="occupation", occupation={"atoms": 64}), 0, 300)
    shares = [np.mean(free.atoms(k).numbers == 29) for k in range(300)]
    assert stats.kstest(shares, "uniform").pvalue > 1e-3


def test_random_packings_have_the_density_and_the_distances_asked_for():
    block = {"atoms": [5, 9], "volume": [0.9, 1.2], "min_distance": 0.65}
    batch = make(PoolOptions(sampler="random", random=block), 0, 100, crystals=ZIRCONIUM)
    sizes = np.diff(batch.offsets)
    assert set(sizes) == {5, 6, 7, 8, 9}
    volumes = volumes_and_heights(batch.cells)[0] / sizes / (ZIRCONIUM[0].atoms.cell.volume / 2)
    assert stats.kstest(volumes, stats.uniform(0.9, 0.3).cdf).pvalue > 1e-3
    assert (batch.prototypes == -1).all()
    assert "prototype" not in batch.atoms(0).info
    assert too_close(batch, 0.65 * (1 - 1e-9)).mean() < 0.05  # a few cannot be packed


def test_places_do_not_overlap_across_the_boundary():
    cell = np.diag([6.0, 7.0, 8.0])
    found = places(cell, np.full(8, 1.2), np.random.default_rng(5))
    apart = found[:, None] - found
    apart -= np.rint(apart / np.diag(cell)) * np.diag(cell)
    distance = np.linalg.norm(apart, axis=2) + 99 * np.eye(8)
    assert distance.min() >= 2.4


def test_slabs_have_two_faces_and_the_vacuum_asked_for():
    block = {"max_index": 1, "thickness": [6, 9], "vacuum": [8, 10], "strain": 0, "amplitude": 0}
    batch = make(PoolOptions(sampler="surface", surface=block), 0, 30)
    for k in range(30):
        atoms = batch.atoms(k)
        assert np.allclose(atoms.cell[2, :2], 0, atol=1e-6)
        gap = atoms.cell[2, 2] - np.ptp(atoms.positions[:, 2])
        assert 8 - 1e-6 <= gap <= 10 + 1e-6
        thickness = np.ptp(atoms.positions[:, 2])
        assert 3 < thickness < 15
        # The density inside is that of the crystal.
        crystal = CRYSTALS[batch.prototypes[k]].atoms
        area = atoms.cell.volume / atoms.cell[2, 2]
        layers = len(atoms) * crystal.cell.volume / len(crystal) / area
        assert thickness < layers < thickness + 4


def test_a_trajectory_is_hot_and_its_frames_are_apart():
    block = {**SMALL_MD, "atoms": 16, "equilibration": 150, "interval": 20, "temperature": 2000}
    batch = make(PoolOptions(sampler="md", md=block, constraints={"min_distance": 0}), 0, 8)
    assert len(np.unique(np.round(batch.cells[:, 0, 0], 9))) == 2  # two trajectories of four frames
    for k in range(3):
        one, other = batch.atoms(k), batch.atoms(k + 1)
        apart = one.get_scaled_positions() - other.get_scaled_positions()
        moved = np.linalg.norm((apart - np.rint(apart)) @ one.cell[:], axis=1)
        assert moved.mean() > 0.15


def test_langevin_dynamics_of_oscillators_has_the_temperature_asked_for():
    from ase import units

    from gapdesign.samplers.md import MdOptions, MdSampler

    class Springs:
        """Each atom tied to the origin."""

        def get_forces(self, atoms):
            return -2.0 * atoms.positions

    block = MdOptions(atoms=64, strain=0, temperature=1000, timestep=2, friction=0.05, equilibration=400, interval=40)
    sampler = MdSampler(block, ZIRCONIUM)
    sampler._calculator = Springs()
    squares = []
    for frame in sampler._trajectory("test", 40):
        inside = frame.get_scaled_positions(wrap=False)
        squares.append((((inside - np.rint(inside)) @ frame.cell[:]) ** 2).mean())
    np.testing.assert_allclose(np.mean(squares), units.kB * 1000 / 2.0, rtol=0.08)


def test_any_ase_calculator_moves_atoms_and_a_wrong_one_is_named():
    cu = prototypes({"fcc": PrototypeOptions(element="Cu", lattice="fcc", a=3.6)})
    block = {**SMALL_MD, "calculator": "ase.calculators.emt.EMT"}
    assert len(make(PoolOptions(sampler="md", md=block), crystals=cu)) == SIZE
    wrong = PoolOptions(sampler="md", md={"calculator": "ase.calculators.emt.NoSuch"})
    with pytest.raises(InputError, match=r"^pools\.md\.calculator: ase\.calculators\.emt\.NoSuch cannot be imported"):
        make(wrong)
    unknown = r"^pools\.md\.calculator: there is no 'emt'; give .*eam, .*, or the full name of a class"
    with pytest.raises(InputError, match=unknown):
        samplers.make(PoolOptions(sampler="md", md={"calculator": "emt"}).sampling, cu)
    with pytest.raises(InputError, match=r"^pools\.md\.arguments: the engine eam does not take them"):
        make(PoolOptions(sampler="md", md={"arguments": {"potentail": "x"}}))


def test_no_calculator_is_made_or_imported_before_a_job_needs_it(tmp_path):
    """What checks a configuration must not run what stands in it."""
    block = {"calculator": "subprocess.getoutput", "arguments": {"cmd": f"touch {tmp_path}/run"}}
    asked = PoolOptions(sampler="md", md={**SMALL_MD, **block})
    samplers.make(asked.sampling, CRYSTALS)
    assert not list(tmp_path.iterdir())
    with pytest.raises(InputError, match=r"^pools\.md\.calculator: subprocess\.getoutput is no class derived from"):
        make(asked)
    assert not list(tmp_path.iterdir())


def test_a_pool_of_frames_holds_each_once_in_an_order_of_its_own(structures):
    def volumes(batch):
        return np.round(volumes_and_heights(batch.cells)[0], 6).tolist()

    given_volumes = [round(atoms.cell.volume, 6) for atoms in read(structures, ":")]
    shuffled = volumes(make(options("file", structures), 0, 2 * SIZE))
    assert sorted(shuffled) == sorted(given_volumes)
    assert shuffled != given_volumes
    assert volumes(make(options("file", structures), 0, 2 * SIZE, pool="B")) != shuffled
    ordered = options("file", structures, file={"path": str(structures), "shuffle": False})
    assert volumes(make(ordered, 5, 9)) == given_volumes[5:9]


def test_frames_are_found_by_their_offsets_and_other_formats_converted(structures, tmp_path):
    places = frames.index(structures)
    text = structures.read_bytes()
    assert len(places) == 2 * SIZE
    assert all(text[a:b].startswith(b"2\nLattice=") and text[a:b].count(b"\n") == 4 for a, b, _ in places)
    assert places[-1].tolist()[1:] == [len(text), 2 * SIZE - 1]
    write(tmp_path / "mine.traj", read(structures, ":"))
    other, mine = make(options("file", tmp_path / "mine.traj")), make(options("file", structures))
    assert identical(replace(other, notes=mine.notes), mine)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("2\ncomment\nZr 0 0 0\n", r"frame 0 of .*: it ends after 1 of 2 atoms"),
        ("two\ncomment\n", r"frame 0 of .* begins with “two” where its number of atoms should be"),
        ("2\ncomment\nZr 0 0 0\nZr 0 0 3\n", r"frame 0 of .* has no cell with a volume; give it one"),
        ('1\nLattice="3 0 0 0 3 0 0 0 3"\nFe 0 0 0\n', r"holds Fe, which no prototype of the study has; add"),
        ('1\nLattice="3 0 0 0 3 0 0 0 3"\nZr 0 0 zero\n', r"frame 0 of .* cannot be read"),
    ],
)
def test_a_file_that_cannot_be_used_is_refused_in_one_sentence(tmp_path, text, sentence):
    (tmp_path / "bad.xyz").write_text(text)
    with pytest.raises(InputError, match=rf"^pools\.file\.path: .*{sentence}") as caught:
        make(options("file", tmp_path / "bad.xyz"), 0, 1)
    assert "\n" not in str(caught.value)


def test_a_pool_larger_than_its_file_is_refused(structures):
    with pytest.raises(InputError, match=r"^pools\.size: .* the 28 frames of .*; set it to 28 or less"):
        make(options("file", structures), 20, 40)


def brute_force_close(atoms: Atoms, fraction: float) -> bool:
    grid = np.stack(np.meshgrid(*[np.arange(-4, 5)] * 3), -1).reshape(-1, 3) @ atoms.cell[:]
    apart = atoms.positions[:, None, None] - atoms.positions[None, :, None] + grid
    distance = np.linalg.norm(apart, axis=3)
    distance[distance < 1e-12] = np.inf
    radii = covalent_radii[atoms.numbers]
    return bool((distance.min(axis=2) < fraction * (radii[:, None] + radii)).any())


@pytest.mark.parametrize("size", [1, 2, 3, 8, 9])
def test_distances_agree_with_brute_force(size):
    generator = np.random.default_rng(size)
    crystals = [
        Atoms(
            generator.choice([1, 29, 40], size),
            scaled_positions=generator.uniform(-1, 2, (size, 3)),
            cell=(np.eye(3) + 0.4 * generator.uniform(-1, 1, (3, 3)))
            * 2.6
            * size ** (1 / 3)
            * generator.uniform(0.7, 1.5),
            pbc=True,
        )
        for _ in range(60)
    ]
    close = too_close(pack(crystals), 0.5)
    assert 0 < close.sum() < 60 or size > 3
    assert close.tolist() == [brute_force_close(atoms, 0.5) for atoms in crystals]


def test_a_cell_too_small_for_its_atoms_is_refused_without_looking_at_its_images():
    tiny = Atoms("Zr", cell=[1e-4] * 3, pbc=True)
    flat = Atoms("Zr", cell=[1.0, 100, 100], pbc=True)
    assert too_close(pack([tiny, flat, bulk("Zr", "fcc", a=4.5)]), 0.6).tolist() == [True, True, False]


@pytest.mark.parametrize("a", [3.0, 4.5])
def test_the_cell_that_describes_a_crystal_does_not_matter(a):
    """Nor does one so flat that very many images are within reach."""
    plain = bulk("Zr", "fcc", a=a)
    skewed = plain.copy()
    skewed.set_cell([[1, 0, 0], [30, 1, 0], [0, 30, 1]] @ plain.cell.array)
    assert too_close(pack([plain, skewed]), 0.7).tolist() == [a < 4] * 2


@pytest.mark.parametrize(
    ("constraint", "place"),
    [({"max_strain": 0.1}, 1), ({"density": [6.3, 7.0]}, 2), ({"max_aspect": 1.7}, 3), ({"min_distance": 0.84}, 0)],
    ids=lambda item: str(item),
)
def test_each_constraint_holds_and_is_counted_by_its_reason(constraint, place, tmp_path):
    limits = ConstraintOptions(**{"min_distance": 0, "redraws": 500, **constraint})
    batch = make(PoolOptions(constraints=limits), 0, 60, crystals=ZIRCONIUM)
    free = make(PoolOptions(constraints=ConstraintOptions(min_distance=0)), 0, 60, crystals=ZIRCONIUM)
    assert batch.refusals[:, place].sum() == batch.refusals.sum() > 20
    kept = batch.attempts == 0
    assert np.array_equal(batch.cells[kept], free.cells[kept])
    lengths = np.linalg.norm(batch.cells, axis=2)
    volumes, heights = volumes_and_heights(batch.cells)
    density = 2 * 91.224 / 0.602214076 / volumes
    checks = [
        not too_close(batch, 0.84).any(),
        np.abs(np.linalg.svd(batch.deformations)[1] - 1).max() <= 0.1,
        density.min() >= 6.3 and density.max() <= 7.0,
        (lengths.max(axis=1) / heights.min(axis=1)).max() <= 1.7,
    ]
    assert checks[place]
    (tmp_path / "A").mkdir()
    write_batch(tmp_path / "A/0-30.npz", batch.take(range(30)))
    write_batch(tmp_path / "A/30-60.npz", batch.take(range(30, 60)))
    table = count([tmp_path / "A/0-30.npz", tmp_path / "A/30-60.npz"])
    (row,) = table.to_dict("records")
    assert row["pool"] == "A"
    assert row["candidates"] == 60
    assert row["draws"] == 60 + batch.refusals.sum()
    assert list(row.values())[3 + place] == batch.refusals.sum()


def test_overrides_make_the_pools_of_a_study_differ():
    both = PoolOptions(overrides={"B": {"sampler": "volume", "volume": {"max": 0.1}}})
    assert identical(make(both), make(PoolOptions()))
    assert identical(make(both, pool="B"), make(PoolOptions(sampler="volume", volume={"max": 0.1}), pool="B"))


def test_two_samplers_of_a_mixture_cannot_both_read_a_file(structures, monkeypatch):
    pools = PoolOptions(sampler="mixture", mixture={"file": 1, "random": 1}, file={"path": str(structures)})
    pools.check("A")
    monkeypatch.setattr(SAMPLERS["random"], "structures", classmethod(lambda cls, options: "other.xyz"))
    sentence = r"^pools\.mixture: `file` and `random` each read a file, and pool A can have only one; give each"
    with pytest.raises(InputError, match=sentence):
        pools.check("A")


def test_a_pool_has_the_traits_of_its_samplers(structures):
    slow = options("md", structures)
    assert (slow.minutes, slow.is_ordered, slow.keeps_cells, slow.environments) == (720, True, False, {"eam"})
    file = options("file", structures)
    assert (file.minutes, file.is_ordered, file.structures) == (30, False, (str(structures),))
    assert options("file", structures, file={"path": "a.xyz", "shuffle": False}).is_ordered
    quip = {**OPTIONS["entropy"], "descriptor": {"kind": "soap"}}
    mixed = PoolOptions(sampler="mixture", mixture={"entropy": 1, "md": 1, "strain": 2}, entropy=quip)
    assert (mixed.minutes, mixed.environments, mixed.structures) == (720, {"eam", "gap"}, ())
    assert PoolOptions(md={"calculator": "ase.calculators.emt.EMT"}, sampler="md").environments == set()
    deformed = PoolOptions(sampler="mixture", mixture={"strain": 1, "volume": 1})
    assert deformed.keeps_cells
    assert not deformed.environments
    assert deformed.shares == {"strain": 1, "volume": 1}
