"""Jobs keep to their memory, whatever the pool."""

from __future__ import annotations

import subprocess
import sys
import textwrap

import numpy as np

from gapdesign.descriptors.environments import Environments, on_grid, write_environments
from gapdesign.files import write_array
from gapdesign.shards import shard_path

LIMIT = """
import re, resource, sys
import numpy as np
import scipy.linalg, scipy.spatial  # whose own linear algebra takes its buffers when it is loaded

def limit(megabytes):
    np.eye(200) @ np.eye(200)  # the linear algebra library takes a buffer of its own, once
    used = int(re.search(r"VmData:\\s*(\\d+) kB", open("/proc/self/status").read()).group(1)) * 1024
    resource.setrlimit(resource.RLIMIT_DATA, (used + megabytes * 2**20,) * 2)
"""
"""Code by which a program bounds what it may allocate from there on."""


def run(program: str, *arguments: object) -> list[str]:
    """Return the lines that a program writes."""
    words = [sys.executable, "-c", textwrap.dedent(LIMIT + program), *map(str, arguments)]
    done = subprocess.run(words, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


SELECTION = """
from gapdesign.descriptors.covariance import Covariance, Layout
from gapdesign.descriptors.kernel import KernelOptions
from gapdesign.shards import FeaturePool
from gapdesign.methods.base import Task
from gapdesign.methods.shared.resources import hold
from gapdesign.methods.maxmin import greedy
from gapdesign.methods.maxmin.compression import Directions

full, small = sys.argv[1].split(","), sys.argv[2].split(",")
megabytes, limited = int(sys.argv[3]), sys.argv[4] != "free"
pool = FeaturePool(full)
layout = Layout(n_species=1, spectrum=pool.dimension - 1, pairs=1)
covariance = Covariance(layout, KernelOptions(soap={"zeta": 2, "scale": 1}, pair={"scale": 0}))
basis = Directions.read(sys.argv[5], layout)

def select(full, small):
    return greedy.select(Task(
        pool=full, covariance=covariance, mean=pool.rows([0])[0], budget=80, basis=basis,
        compressed=hold(small, megabytes), memory=megabytes,
    ))

if sys.argv[4] == "compiled":
    greedy.LARGE = 0
    select(FeaturePool(full[:1]), FeaturePool(small[:1]))  # what is compiled takes memory once
if limited:
    limit(megabytes)
    try:
        pool.held()
    except MemoryError:
        print("the pool does not fit")
print(select(pool, FeaturePool(small)).candidates.tolist())
"""


def test_the_selection_runs_within_its_memory(tmp_path):
    size, dimension, cut = 120_000, 400, 10_000
    rng = np.random.default_rng(0)
    hidden, weights = rng.random((size, 5)), rng.normal(size=(5, dimension - 1))
    full, small, basis = [], [], None
    from gapdesign.descriptors.covariance import Layout
    from gapdesign.methods.maxmin.compression import Directions

    for start in range(0, size, cut):
        x = np.cos(hidden[start : start + cut] @ weights)
        x = np.hstack([x / np.linalg.norm(x, axis=1, keepdims=True), np.zeros((cut, 1))]).astype(np.float32)
        if basis is None:
            basis = Directions.of(x[:1000], Layout(n_species=1, spectrum=dimension - 1, pairs=1))
            basis.write(tmp_path / "basis.npz")
        full.append(str(shard_path(tmp_path / "full", start, start + cut, "npy")))
        small.append(str(shard_path(tmp_path / "small", start, start + cut, "npy")))
        write_array(full[-1], x)
        write_array(small[-1], basis.compress(x))

    def select(megabytes: int, mode: str) -> list[str]:
        return run(SELECTION, ",".join(full), ",".join(small), megabytes, mode, tmp_path / "basis.npz")

    assert size * dimension * 4 > 1.8 * 100 * 2**20
    (free,) = select(4096, "free")
    for mode in ("limited", "compiled"):
        verdict, within = select(100, mode)
        assert verdict == "the pool does not fit"
        assert within == free


POINTS = """
import quippy.descriptors
from ase import Atoms
from gapdesign.descriptors.kernel import KernelOptions
from gapdesign.descriptors.soap import SoapOptions
from gapdesign.models.gap.expansion import Model
from gapdesign.models.gap.basis import choose

class Descriptor:
    # Stands for QUIP's, which takes its time.
    def __init__(self, string):
        self.turn = np.random.default_rng(0).normal(size=(3, width))

    def calc_descriptor(self, atoms):
        vectors = np.cos(atoms.positions @ self.turn)
        return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)

width, structures, atoms, megabytes = map(int, sys.argv[1:])
quippy.descriptors.Descriptor = Descriptor

def frames(count):
    rng = np.random.default_rng(1)
    for _ in range(count):
        yield Atoms(f"Si{atoms}", positions=9 * rng.random((atoms, 3)), cell=[9] * 3, pbc=True)

model = Model(soap=SoapOptions(r_cut=3.0), kernel=KernelOptions(pair={"scale": 0}), transition=0.5, jitter=1e-12)

def chosen(count):
    own = {"points": 5, "sample": 200, "per_length": 2.0, "rng": np.random.default_rng(2)}
    ((_, points),) = choose(lambda: frames(count), [14], model, **own).terms()
    return points.shape

chosen(1)
limit(megabytes)
print(chosen(structures))
"""


def test_points_are_chosen_without_holding_all_environments():
    width, structures, atoms, megabytes = 1000, 500, 40, 60
    assert 4 * width * structures * atoms > 1.2 * megabytes * 2**20
    assert run(POINTS, width, structures, atoms, megabytes) == ["(5, 1000)"]


STRUCTURES = """
from gapdesign.descriptors.covariance import Covariance, Layout
from gapdesign.descriptors.environments import EnvironmentPool
from gapdesign.descriptors.kernel import KernelOptions
from gapdesign.descriptors.structure_distances import StructurePool
from gapdesign.methods.base import Task
from gapdesign.methods.maxmin import lazy
from gapdesign.shards import FeaturePool

features, environments = sys.argv[1].split(","), sys.argv[2].split(",")
allowed, megabytes = map(int, sys.argv[3:])
options = KernelOptions(structure="environment", pair={"scale": 0})
pool = FeaturePool(features)
covariance = Covariance(Layout(n_species=1, spectrum=pool.dimension - 1, pairs=1), options)
limit(megabytes)
structures = StructurePool(pool, EnvironmentPool(environments), covariance, options, memory=allowed)
selection = lazy.select(Task(
    pool=pool, covariance=covariance, mean=pool.rows([0])[0], budget=4, structures=structures, memory=allowed,
))
print(selection.candidates.tolist(), selection.distances.tobytes().hex())
"""


def test_structures_of_many_environments_are_chosen_within_the_memory(tmp_path):
    """The fourth part of a memory does not hold what is known of each environment, so that some is measured again."""
    size, atoms, dimension, cut, allowed = 8_000, 150, 5, 2_000, 32
    rng = np.random.default_rng(0)
    features, environments = [], []
    for start in range(0, size, cut):
        vectors = rng.random((cut * atoms, dimension)) ** 3
        vectors = on_grid(vectors / np.linalg.norm(vectors, axis=1, keepdims=True))
        mean = vectors.reshape(cut, atoms, -1).mean(axis=1)
        mean /= np.linalg.norm(mean, axis=1, keepdims=True)
        features.append(shard_path(tmp_path / "features", start, start + cut, "npy"))
        write_array(features[-1], np.hstack([mean, np.zeros((cut, 1))]).astype(np.float32))
        environments.append(shard_path(tmp_path / "environments", start, start + cut, "npz"))
        ones, places = np.ones(cut * atoms, np.int32), np.arange(0, cut * atoms + 1, atoms)
        write_environments(environments[-1], Environments(places, vectors, ones, 14 * ones))
    assert size * atoms * 8 > 0.8 * allowed / 4 * 2**20
    files = ",".join(map(str, features)), ",".join(map(str, environments))
    assert run(STRUCTURES, *files, allowed, allowed) == run(STRUCTURES, *files, 2048, 2048)


COMPARISON = """
from ase import Atoms
from gapdesign.comparison import environments, pools

path, structures, atoms, width, megabytes = sys.argv[1], *map(int, sys.argv[2:])

def frames(structures):
    rng = np.random.default_rng(1)
    for _ in range(structures):
        yield Atoms(f"W{atoms}", positions=50 * rng.random((atoms, 3)), cell=[50] * 3, pbc=True)

turn = np.random.default_rng(0).normal(size=(3, width))
describe = lambda atoms: np.cos(atoms.positions @ turn)
few = environments.describe(path + ".few", frames(3), [atoms] * 3, describe)
environments.entropies(environments.standardised({"A": few}, None, width))  # what it compiles takes memory once
limit(megabytes)
described = environments.describe(path, frames(structures), [atoms] * structures, describe)
scaled = environments.standardised({"A": described}, None, width)
print(len(environments.entropies(scaled)), len(environments.histograms({"A": described})))
(row,) = environments.designs(scaled, {"OPT": [("A", [0, 1])]}, within=1.0).to_dict("records")
print(row["learnt"], row["asked"])
print(len(pools.nearest_environments({"A": scaled["A"].q}, 100, 3, 1)["A", "A"]))
"""


def test_environments_of_pools_are_described_and_compared_in_blocks(tmp_path):
    structures, atoms, width, megabytes = 3_000, 40, 100, 60
    assert 8 * structures * atoms * width > 1.5 * megabytes * 2**20
    said = run(COMPARISON, tmp_path / "A.npz", structures, atoms, width, megabytes)
    assert said == [f"{structures} {59 * width}", f"{2 * atoms} {(structures - 2) * atoms}", "3"]
