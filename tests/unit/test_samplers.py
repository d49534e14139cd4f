"""Samplers: a candidate depends on (seed, pool, index) alone, and is drawn from the written distribution."""

import itertools
import os
import subprocess
import sys
from dataclasses import fields

import numpy as np
import pytest
from ase.build import bulk
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from gapdesign.errors import InputError
from gapdesign.prototypes import Prototype
from gapdesign.samplers import SAMPLERS, sample
from gapdesign.samplers.options import PoolOptions
from gapdesign.samplers.shared import deform
from gapdesign.samplers.shared.constraints import ConstraintOptions, too_close
from gapdesign.samplers.shared.draw import Draw
from gapdesign.shards import cut
from gapdesign.structures import Batch, concatenate

HCP = Prototype("hcp", bulk("Zr", "hcp", a=3.232, c=5.147), np.array([0, 0], dtype=np.int32))
BCC = Prototype("bcc", bulk("Zr", "bcc", a=3.574), np.array([0], dtype=np.int32))
FCC = Prototype("fcc", bulk("Zr", "fcc", a=4.532), np.array([0], dtype=np.int32))
PROTOTYPES = [HCP, BCC, FCC]
TIGHT = PoolOptions(constraints=ConstraintOptions(min_distance=0.84))
"""Options under which every other candidate is drawn again."""

QUICK = settings(max_examples=30, deadline=None, derandomize=True, database=None)


def uniforms(seed: int, pool: str, indices: np.ndarray, attempt: int, draws: int) -> np.ndarray:
    return Draw(seed, pool, indices, attempt).uniforms(draws)


def of(sampler: str, largest: float) -> deform.DeformingSampler:
    member = SAMPLERS[sampler]
    return member(member.Options(max=largest), PROTOTYPES)


def make(start: int, stop: int, *, seed: int = 1, pool: str = "A", options: PoolOptions = TIGHT) -> Batch:
    return sample(options.of(pool).sampling, PROTOTYPES, seed=seed, pool=pool, start=start, stop=stop)


def identical(one: Batch, other: Batch) -> bool:
    return one.names == other.names and all(
        getattr(one, field.name).dtype == getattr(other, field.name).dtype
        and getattr(one, field.name).tobytes() == getattr(other, field.name).tobytes()
        for field in fields(Batch)
        if field.name != "names"
    )


@pytest.fixture(scope="module")
def whole() -> Batch:
    batch = make(0, 60)
    assert 10 < (batch.attempts > 0).sum() < 50
    return batch


def test_a_candidate_alone_is_bit_for_bit_the_one_in_the_pool(whole):
    for index in range(60):
        assert identical(make(index, index + 1), whole.take([index]))


@QUICK
@given(cuts=st.sets(st.integers(1, 59), max_size=6))
def test_a_pool_is_the_same_however_it_is_cut(whole, cuts):
    edges = [0, *sorted(cuts), 60]
    parts = [make(start, stop) for start, stop in itertools.pairwise(edges)]
    assert identical(concatenate(parts), whole)


@QUICK
@given(size=st.integers(1, 500), shard_size=st.integers(1, 600))
def test_shards_cover_a_pool_without_gap_or_overlap(size, shard_size):
    covered = [index for start, stop in cut(size, shard_size) for index in range(start, stop)]
    assert covered == list(range(size))
    assert all(stop - start == shard_size for start, stop in cut(size, shard_size)[:-1])


@QUICK
@given(size=st.integers(1, 300), growth=st.integers(0, 300), shard_size=st.integers(1, 50))
def test_a_pool_that_grows_keeps_its_full_cut(size, growth, shard_size):
    full = [(start, stop) for start, stop in cut(size, shard_size) if stop - start == shard_size]
    assert set(full) <= set(cut(size + growth, shard_size))


@QUICK
@given(
    indices=st.lists(st.integers(0, 10**12), min_size=1, max_size=12, unique=True).map(sorted),
    draws=st.integers(1, 11),
)
def test_uniform_numbers_belong_to_the_index_whatever_else_is_asked_for(indices, draws):
    together = uniforms(7, "A", np.array(indices), 0, draws)
    assert together.shape == (len(indices), draws)
    assert ((together >= 0) & (together < 1)).all()
    alone = np.concatenate([uniforms(7, "A", np.array([index]), 0, draws) for index in indices])
    assert together.tobytes() == alone.tobytes()


def test_uniform_numbers_are_uniform_and_those_of_neighbours_do_not_overlap():
    values = uniforms(3, "A", np.arange(20_000), 0, 7)
    assert stats.kstest(values.ravel(), "uniform").pvalue > 1e-3
    # Seven is no multiple of the four that a step of the counter gives: a wrong stride would repeat numbers.
    assert len(np.unique(values)) == values.size
    correlation = np.corrcoef(np.hstack([values[:-1], values[1:]]).T) - np.eye(14)
    assert np.abs(correlation).max() < 5 / np.sqrt(len(values))


@pytest.mark.parametrize("change", [{"seed": 2}, {"pool": "B"}, {"attempt": 1}])
def test_seeds_pools_and_attempts_are_independent_streams(change):
    of = {"seed": 1, "pool": "A", "attempt": 0}
    one, other = (
        uniforms(stream["seed"], stream["pool"], np.arange(5000), stream["attempt"], 7) for stream in (of, of | change)
    )
    assert not np.intersect1d(one, other).size
    assert abs(np.corrcoef(one.ravel(), other.ravel())[0, 1]) < 5 / np.sqrt(one.size)


def test_seed_and_pool_are_kept_apart_in_the_name_of_a_stream():
    assert not np.array_equal(uniforms(1, "1", np.arange(4), 0, 4), uniforms(11, "", np.arange(4), 0, 4))


def test_prototypes_are_picked_uniformly():
    batch = make(0, 6000, options=PoolOptions(constraints=ConstraintOptions(min_distance=0)))
    assert stats.chisquare(np.bincount(batch.prototypes, minlength=3)).pvalue > 1e-3


def test_atoms_and_cell_follow_the_deformation(whole):
    for k in range(len(whole)):
        prototype, atoms = PROTOTYPES[whole.prototypes[k]], whole.atoms(k)
        gradient = atoms.info["deformation"].reshape(3, 3)
        assert atoms.info["prototype"] == prototype.name
        for row, image in zip(prototype.atoms.cell[:], atoms.cell[:], strict=True):
            np.testing.assert_allclose(image, gradient @ row, atol=1e-12)
        np.testing.assert_allclose(
            atoms.get_scaled_positions(wrap=False),
            prototype.atoms.get_scaled_positions(wrap=False),
            atol=1e-12,
        )
        np.testing.assert_allclose(atoms.cell.volume, np.linalg.det(gradient) * prototype.atoms.cell.volume, rtol=1e-12)


STRAINS = deform.stretches(uniforms(5, "A", np.arange(20_000), 0, 6), 0.15)
ROTATIONS = deform.rotations(uniforms(6, "A", np.arange(20_000), 0, 3))


def test_strain_is_symmetric_with_uniform_independent_eigenvalues():
    np.testing.assert_allclose(STRAINS, STRAINS.transpose(0, 2, 1), atol=1e-15)
    eigenvalues = np.linalg.eigvalsh(STRAINS)
    assert stats.kstest(eigenvalues.ravel(), stats.uniform(0.85, 0.3).cdf).pvalue > 1e-3
    # The sorted eigenvalues of independent uniform ones are order statistics: Beta(k, 4 - k).
    for k in range(3):
        assert stats.kstest((eigenvalues[:, k] - 0.85) / 0.3, stats.beta(k + 1, 3 - k).cdf).pvalue > 1e-3


def test_rotations_are_proper_and_haar():
    np.testing.assert_allclose(
        ROTATIONS @ ROTATIONS.transpose(0, 2, 1), np.broadcast_to(np.eye(3), ROTATIONS.shape), atol=1e-14
    )
    np.testing.assert_allclose(np.linalg.det(ROTATIONS), 1, atol=1e-14)
    # Moments of the Haar measure: E[R] = 0, E[R_ij R_kl] = d_ik d_jl / 3.
    flat = ROTATIONS.reshape(-1, 9)
    spread = 1 / np.sqrt(len(flat))
    assert np.abs(flat.mean(axis=0)).max() < 4 * spread
    assert np.abs(flat.T @ flat / len(flat) - np.eye(9) / 3).max() < 3 * spread
    # The angle of a Haar rotation has the density (1 - cos t) / pi on [0, pi].
    cosine = (np.trace(ROTATIONS, axis1=1, axis2=2) - 1) / 2
    angle = np.arccos(np.clip(cosine, -1, 1))
    assert stats.kstest(angle, lambda t: (t - np.sin(t)) / np.pi).pvalue > 1e-3
    # Where an axis is sent is uniform on the sphere: each coordinate is uniform on [-1, 1] (Archimedes).
    for element in flat.T:
        assert stats.kstest(element, stats.uniform(-1, 2).cdf).pvalue > 1e-3


def test_haar_measure_does_not_notice_another_rotation():
    fixed = ROTATIONS[17]
    angle = np.arccos(np.clip((np.trace(ROTATIONS @ fixed, axis1=1, axis2=2) - 1) / 2, -1, 1))
    assert stats.kstest(angle, lambda t: (t - np.sin(t)) / np.pi).pvalue > 1e-3


def test_principal_axes_of_a_strain_have_no_preferred_direction():
    _, axes = np.linalg.eigh(STRAINS)
    for coordinate in axes.reshape(-1, 9).T:
        assert stats.kstest(np.abs(coordinate), "uniform").pvalue > 1e-3


def test_strain_components_are_symmetric_with_uniform_elements():
    gradients = of("strain_components", 0.2).deformations(uniforms(5, "A", np.arange(20_000), 0, 6))
    assert np.array_equal(gradients, gradients.transpose(0, 2, 1))
    elements = (gradients - np.eye(3))[:, *np.triu_indices(3)]
    for element in elements.T:
        assert stats.kstest(element, stats.uniform(-0.2, 0.4).cdf).pvalue > 1e-3
    assert np.abs(np.corrcoef(elements.T) - np.eye(6)).max() < 5 / np.sqrt(len(elements))


def test_volumes_are_uniform_and_shapes_kept():
    gradients = of("volume", 0.3).deformations(uniforms(5, "A", np.arange(20_000), 0, 1))
    assert stats.kstest(np.linalg.det(gradients), stats.uniform(0.7, 0.6).cdf).pvalue > 1e-3
    np.testing.assert_allclose(gradients, gradients[:, :1, :1] * np.eye(3), atol=1e-15)


def test_the_configured_sampler_is_the_one_that_draws():
    free = {"constraints": ConstraintOptions(min_distance=0)}
    options = PoolOptions(sampler="strain_components", strain_components={"max": 0.3}, **free)
    batch = make(0, 500, options=options)
    assert 0.29 < np.abs(batch.deformations - np.eye(3)).max() <= 0.3
    batch = make(0, 500, options=PoolOptions(strain={"max": 0.05}, **free))
    assert 0.95 <= np.linalg.eigvalsh(batch.deformations).min() < 0.9505


def test_what_breaks_the_constraint_is_drawn_again_and_what_does_not_is_left(whole):
    free = make(0, 60, options=PoolOptions(constraints=ConstraintOptions(min_distance=0)))
    limit = 0.84
    assert not too_close(whole, limit).any()
    refused = too_close(free, limit)
    assert np.array_equal(whole.attempts > 0, refused)
    assert np.array_equal(whole.cells[~refused], free.cells[~refused])
    assert np.array_equal(whole.refusals[:, 0], whole.attempts)
    assert identical(make(0, 60), whole)


def test_a_constraint_that_nothing_satisfies_gives_one_sentence():
    options = PoolOptions(constraints=ConstraintOptions(min_distance=1.5, redraws=3))
    sentence = r"^pools\.constraints\.min_distance: candidate 4 of pool B broke min_distance: 1\.5 in 3 of its 3 draws"
    with pytest.raises(InputError, match=sentence):
        make(4, 6, pool="B", options=options)


def test_one_draw_is_allowed_where_redraws_is_one():
    once = PoolOptions(constraints=ConstraintOptions(min_distance=0.84, redraws=1))
    free = make(0, 60, options=PoolOptions(constraints=ConstraintOptions(min_distance=0)))
    refused = too_close(free, 0.84)
    good, bad = np.flatnonzero(~refused)[0], np.flatnonzero(refused)[0]
    assert make(good, good + 1, options=once).attempts.tolist() == [0]
    with pytest.raises(InputError):
        make(bad, bad + 1, options=once)


DIGEST = """
import hashlib
from gapdesign.samplers import sample
from gapdesign.samplers.options import PoolOptions
from gapdesign.prototypes import PrototypeOptions, prototypes
crystals = prototypes({"hcp": PrototypeOptions(element="Zr", lattice="hcp", a=3.232, c=5.147)})
for sampler in "strain", "strain_components", "volume", "rattle", "random":
    batch = sample(PoolOptions(sampler=sampler).sampling, crystals, seed=1, pool="A", start=0, stop=300)
    print(hashlib.sha256(batch.cells.tobytes() + batch.positions.tobytes()).hexdigest())
"""


def test_candidates_do_not_depend_on_the_linear_algebra_library():
    """OpenBLAS picks its kernels, which round differently, by the processor or by this variable."""
    answers = set()
    for kernels in ("Prescott", "Haswell"):
        environment = {**os.environ, "OPENBLAS_CORETYPE": kernels}
        run = subprocess.run(
            [sys.executable, "-c", DIGEST], env=environment, capture_output=True, text=True, check=True
        )
        answers.add(run.stdout)
    assert len(answers) == 1
