"""The selection keeps to its memory, whatever the pool."""

from __future__ import annotations

import subprocess
import sys
import textwrap

import numpy as np

from gapdesign.files import write_array
from gapdesign.shards import shard_path

PROGRAM = """
import re, resource, sys
import numpy as np
from gapdesign.descriptors.covariance import Covariance, Layout
from gapdesign.descriptors.kernel import KernelOptions
from gapdesign.shards import FeaturePool
from gapdesign.methods import Task, hold
from gapdesign.methods.maxmin.compression import Directions
from gapdesign.methods.maxmin.greedy import select

full, small = sys.argv[1].split(","), sys.argv[2].split(",")
megabytes, limited = int(sys.argv[3]), sys.argv[4] == "limited"
pool = FeaturePool(full)
layout = Layout(n_species=1, spectrum=pool.dimension - 1, pairs=1)
covariance = Covariance(layout, KernelOptions(soap={"zeta": 2, "scale": 1}, pair={"scale": 0}))
basis = Directions.read(sys.argv[5], layout)
if limited:
    used = int(re.search(r"VmData:\\s*(\\d+) kB", open("/proc/self/status").read()).group(1)) * 1024
    resource.setrlimit(resource.RLIMIT_DATA, (used + megabytes * 2**20,) * 2)
    try:
        pool.held()
    except MemoryError:
        print("the pool does not fit")
selection = select(Task(
    pool=pool, covariance=covariance, mean=pool.rows([0])[0], budget=80, basis=basis,
    compressed=hold(FeaturePool(small), megabytes), memory=megabytes,
))
print(selection.candidates.tolist())
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

    def run(megabytes: int, mode: str) -> list[str]:
        arguments = [",".join(full), ",".join(small), str(megabytes), mode, str(tmp_path / "basis.npz")]
        done = subprocess.run(
            [sys.executable, "-c", textwrap.dedent(PROGRAM), *arguments], capture_output=True, text=True, timeout=300
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.splitlines()

    assert size * dimension * 4 > 1.8 * 100 * 2**20
    verdict, within = run(100, "limited")
    assert verdict == "the pool does not fit"
    (free,) = run(4096, "free")
    assert within == free
