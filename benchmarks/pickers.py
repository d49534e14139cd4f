"""Choose points by one program, as a process of its own: ``python pickers.py PROGRAM VECTORS.npy BUDGET PICKS.npy``.

Every program starts from the first vector and works on Euclidean distances of unit vectors. The calls follow each
program's documentation.
"""

import sys

import numpy as np


def gapdesign(vectors: str, budget: int, threads: int = 1) -> np.ndarray:
    """Max-min by gapdesign: the basis from a sample, codes block by block, selection."""
    from gapdesign.descriptors.covariance import Covariance, Layout
    from gapdesign.descriptors.kernel import KernelOptions
    from gapdesign.methods import Task
    from gapdesign.methods.maxmin.compression import CompressedPool, Directions, code_all
    from gapdesign.methods.maxmin.greedy import select
    from gapdesign.shards import ArrayFile, HeldPool

    array = ArrayFile(vectors)
    size, dimension = array.shape
    # Plain vectors are SOAP with zeta = 1 and no pair part.
    layout = Layout(n_species=1, spectrum=dimension, pairs=0)
    covariance = Covariance(layout, KernelOptions(soap={"zeta": 1, "scale": 1}, pair={"scale": 0}))
    basis = Directions.of(array.rows(np.arange(0, size, max(1, size // 2048))), layout)
    mean = np.zeros(dimension, np.float32)
    task = Task(
        pool=array,
        covariance=covariance,
        mean=mean,
        budget=budget,
        start=0,
        basis=basis,
        compressed=CompressedPool(array, basis),
        codes=HeldPool(code_all(array, basis, threads=threads)),
        threads=threads,
    )
    return select(task).candidates


def skmatter_fps(vectors: str, budget: int) -> np.ndarray:
    """scikit-matter's farthest point sampling."""
    from skmatter.sample_selection import FPS

    return FPS(n_to_select=budget, initialize=0).fit(np.load(vectors)).selected_idx_


def skmatter_voronoi(vectors: str, budget: int) -> np.ndarray:
    """scikit-matter's Voronoi farthest point sampling."""
    from skmatter.sample_selection import VoronoiFPS

    return VoronoiFPS(n_to_select=budget, initialize=0).fit(np.load(vectors)).selected_idx_


def fpsample_fps(vectors: str, budget: int) -> np.ndarray:
    """Fpsample's exact algorithm."""
    from fpsample import fps_sampling

    return fps_sampling(np.load(vectors), budget, start_idx=0)


def wfl_greedy(vectors: str, budget: int) -> np.ndarray:
    """libAtoms/workflow's greedy farthest point selection, which is told to start from the first vector."""
    from ase import Atoms
    from wfl.configset import ConfigSet, OutputSpec
    from wfl.select.by_descriptor import greedy_fps_conf_global

    x = np.load(vectors)
    structures = [Atoms("H", info={"place": place}) for place in range(len(x))]
    chosen = greedy_fps_conf_global(
        ConfigSet(structures),
        OutputSpec(),
        budget - 1,
        at_descs=x,
        prev_selected_descs=x[:1],
        rng=np.random.default_rng(0),
    )
    return np.array([0, *sorted(atoms.info["place"] for atoms in chosen)])


def paper(vectors: str, budget: int) -> np.ndarray:
    """The loop of Barzdajn and Race's appendix B."""
    x = np.load(vectors)
    chosen = [0]
    psi = np.linalg.norm(x - x[0], axis=1)
    for _ in range(budget - 1):
        chosen.append(int(np.argmax(psi)))
        psi = np.minimum(psi, np.linalg.norm(x - x[chosen[-1]], axis=1))
    return np.array(chosen)


if __name__ == "__main__":
    program, vectors, budget, picks, *threads = sys.argv[1:]
    np.save(picks, globals()[program](vectors, int(budget), *map(int, threads)))
