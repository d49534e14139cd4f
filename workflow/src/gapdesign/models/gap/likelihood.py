"""The likelihood of energies under GAP's own covariance, with its gradient (BR 3.2).

The covariance of two total energies is, as in gap_fit,

    K_pq = d_pair^2 sum_{r in p, s in q} f(r) f(s) exp(-(r - s)^2 / (2 l^2))
         + d_soap^2 sum_{i in p, j in q} (x_i.x_j)^zeta

over all directed pairs of atoms of the same two elements and all pairs of environments of the same
element, and the noise of a total energy of N atoms has the variance sigma^2 N.
"""

from __future__ import annotations

import numpy as np
from scipy.linalg import get_lapack_funcs

from gapdesign.models.gap.environments import GapStructures, PairBlock, SoapBlock

NAMES = ("pair_scale", "pair_length", "soap_scale", "noise")
NODES = 8
BINS_PER_LENGTH = 8
TAIL = 4.3
STEP = 0.5 / np.sqrt(2.0)
BLOCK = 1024


class PairCovariance:
    """The Gaussian kernel summed over all pairs of distances, as a product of features.

    Distances are binned once, each onto its eight nearest nodes by Lagrange interpolation; a Gaussian
    of width l / sqrt(2) around every node, sampled on a grid of spacing l / sqrt(8), then turns the
    double sum into a matrix product. Both steps are good to 1e-7 of the kernel or better.

    Parameters
    ----------
    blocks
        The distances, one block per pair of elements.
    size
        The number n of structures.
    smallest_length
        The smallest length, in angstrom, that will be requested.
    """

    def __init__(self, blocks: list[PairBlock], *, size: int, smallest_length: float) -> None:
        spacing = smallest_length / BINS_PER_LENGTH
        self._binned = [_bin(block, size=size, spacing=spacing) for block in blocks]
        self._size = size

    def features(self, length: float) -> tuple[np.ndarray, np.ndarray]:
        """Return features whose product is the covariance, and their derivatives by log length; each (n, m)."""
        values, slopes = [np.zeros((self._size, 0))], [np.zeros((self._size, 0))]
        # The integral of two Gaussians exp(-(r - x)^2 / l^2) is l sqrt(pi/2) times the kernel.
        normal = np.sqrt(STEP / np.sqrt(np.pi / 2.0))
        for nodes, histogram in self._binned:
            grid = np.arange(nodes[0] - TAIL * length, nodes[-1] + TAIL * length, STEP * length)
            square = ((nodes[:, None] - grid) / length) ** 2
            bumps = normal * np.exp(-square)
            values.append(histogram @ bumps)
            slopes.append(histogram @ (bumps * (2.0 * square - 0.5)))
        return np.hstack(values), np.hstack(slopes)


def _bin(block: PairBlock, *, size: int, spacing: float) -> tuple[np.ndarray, np.ndarray]:
    """Spread weighted distances over equidistant nodes: the nodes (b,) and the weights (n, b)."""
    margin = NODES // 2
    lowest = np.floor(block.distances.min() / spacing) - margin
    position = block.distances / spacing - lowest
    base = np.floor(position).astype(int) - margin + 1
    nodes = spacing * (lowest + np.arange(base.max() + NODES))
    binned = np.zeros(size * len(nodes))
    offset = position - base
    for k in range(NODES):
        share = block.weights.copy()
        for other in range(NODES):
            if other != k:
                share *= (offset - other) / (k - other)
        binned += np.bincount(block.structures * len(nodes) + base + k, weights=share, minlength=len(binned))
    return nodes, binned.reshape(size, len(nodes))


def soap_covariance(blocks: list[SoapBlock], *, size: int, zeta: int) -> np.ndarray:
    """Sum (x_i.x_j)^zeta over the environments of every two structures, shape (n, n)."""
    total = np.zeros((size, size))
    for block in blocks:
        for start in range(0, len(block.vectors), BLOCK):
            rows = slice(start, start + BLOCK)
            powers = (block.vectors[rows] @ block.vectors.T) ** zeta
            total += block.counts[:, rows] @ (block.counts @ powers.T).T
    return 0.5 * (total + total.T)


class Likelihood:
    """The log-likelihood of energies as a function of the logarithms of the hyperparameters.

    Parameters
    ----------
    environments
        Descriptors of n structures. A part that is missing here is not in the model.
    energies
        Total energies above the isolated atoms, in eV, shape (n,).
    zeta
        Power of the SOAP kernel.
    smallest_length
        Lower bound of the pair length, in angstrom.

    Attributes
    ----------
    names
        The hyperparameters in the order of ``theta``: those of ``pair_scale`` (eV), ``pair_length``
        (angstrom), ``soap_scale`` (eV) and ``noise`` (eV per atom) that the model has.
    """

    def __init__(self, environments: GapStructures, energies: np.ndarray, *, zeta: int, smallest_length: float) -> None:
        size = len(environments.sizes)
        self._energies = np.asarray(energies, dtype=float)
        self._sizes = environments.sizes.astype(float)
        self._pair = self._soap = None
        if environments.pairs:
            self._pair = PairCovariance(list(environments.pairs.values()), size=size, smallest_length=smallest_length)
        if environments.soap:
            self._soap = soap_covariance(list(environments.soap.values()), size=size, zeta=zeta)
        absent = {"pair": self._pair is None, "soap": self._soap is None}
        self.names = tuple(name for name in NAMES if not absent.get(name.split("_")[0], False))

    def covariance(self, theta: np.ndarray) -> np.ndarray:
        """Return K, the covariance of the total energies without noise, in eV^2, shape (n, n)."""
        return self._parts(theta)[0]

    def _parts(self, theta: np.ndarray) -> tuple[np.ndarray, dict[str, float], tuple[np.ndarray, np.ndarray] | None]:
        value = dict(zip(self.names, np.exp(theta), strict=True))
        total = np.zeros((len(self._sizes), len(self._sizes)))
        features = None
        if self._pair is not None:
            features = self._pair.features(value["pair_length"])
            total += value["pair_scale"] ** 2 * (features[0] @ features[0].T)
        if self._soap is not None:
            total += value["soap_scale"] ** 2 * self._soap
        return total, value, features

    def value(self, theta: np.ndarray) -> float:
        """Return L(theta) = -1/2 (y'Q^-1 y + ln det Q + n ln 2 pi), or minus infinity where Q is singular."""
        total, value, _ = self._parts(theta)
        solved = self._solve(total, value["noise"])
        return -np.inf if solved is None else solved[0]

    def value_and_gradient(self, theta: np.ndarray) -> tuple[float, np.ndarray]:
        """Return L(theta) and its gradient, shape (number of names,), which is zero where L is minus infinity."""
        total, value, features = self._parts(theta)
        solved = self._solve(total, value["noise"])
        if solved is None:
            return -np.inf, np.zeros(len(self.names))
        likelihood, factor, weights = solved
        (potri,) = get_lapack_funcs(("potri",), (factor,))
        inverse, _ = potri(factor, lower=True, overwrite_c=True)
        # dL/dt = 1/2 tr(W dQ/dt) with W = a a' - Q^-1; potri fills the lower triangle only.
        inner = np.outer(weights, weights) - np.tril(inverse) - np.tril(inverse, -1).T
        slopes = {"noise": value["noise"] ** 2 * float(self._sizes @ inner.diagonal())}
        if features is not None:
            square = value["pair_scale"] ** 2
            turned = inner @ features[0]
            slopes["pair_scale"] = square * float(np.vdot(turned, features[0]))
            slopes["pair_length"] = square * float(np.vdot(turned, features[1]))
        if self._soap is not None:
            slopes["soap_scale"] = value["soap_scale"] ** 2 * float(np.vdot(inner, self._soap))
        return likelihood, np.array([slopes[name] for name in self.names])

    def _solve(self, total: np.ndarray, noise: float) -> tuple[float, np.ndarray, np.ndarray] | None:
        """Return L, the Cholesky factor of Q = K + sigma^2 N (``total`` is overwritten), and Q^-1 y."""
        total[np.diag_indices_from(total)] += noise**2 * self._sizes
        potrf, potrs = get_lapack_funcs(("potrf", "potrs"), (total,))
        factor, failed = potrf(total.T, lower=True, overwrite_a=True, clean=False)
        if failed:
            return None
        weights, _ = potrs(factor, self._energies, lower=True)
        log_det = 2.0 * float(np.log(factor.diagonal()).sum())
        fit = float(self._energies @ weights)
        return -0.5 * (fit + log_det + len(self._energies) * np.log(2.0 * np.pi)), factor, weights
