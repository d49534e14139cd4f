"""Files of neuroevolution potentials, and their features by formulas, with derivatives.

Fan et al., J. Chem. Phys. 157, 114801 (2022); the format is that of GPUMD's `nep.txt`.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
from ase import Atoms
from ase.data import atomic_numbers
from numpy.polynomial.chebyshev import chebder, chebval, chebvander
from numpy.polynomial.legendre import legder, legval

from gapdesign.descriptors.base import Slopes
from gapdesign.errors import InputError


class Header(NamedTuple):
    """What the first lines of a model say.

    Attributes
    ----------
    elements : tuple of str
    dimension : int
        Length of a feature vector.
    cutoffs : tuple of float
        Of radial and of angular functions, in angstrom; more where each element has its own.
    radial, angular : tuple of int
        Number of functions, and of polynomials that each is made of.
    orders : tuple of int
        The largest angular momentum of three bodies, and whether there are invariants of four and of five.
    networks : int
        Parameters of the networks, which come before those of the functions.
    numbers : int
        Parameters that follow, one a line: of the networks, the radial functions, the scale and a repulsion of pairs.
    """

    elements: tuple[str, ...]
    dimension: int
    cutoffs: tuple[float, ...]
    radial: tuple[int, int]
    angular: tuple[int, int]
    orders: tuple[int, int, int]
    networks: int
    numbers: int

    @property
    def cutoff(self) -> float:
        """The largest cut-off, in angstrom."""
        return max(self.cutoffs)


KINDS = ("nep4", "nep4_zbl", "nep5", "nep5_zbl")
"""First words of files that can be read. Models of charges, dipoles or spins have others, as have those before NEP4."""


PATH = "descriptor.nep.path"


def header(path: str, key: str = PATH) -> Header:
    """Read the first lines of a model, which end with that of the network; messages begin with ``key``.

    Raises
    ------
    InputError
        If there is no such file, or it is no potential of this kind.
    """
    try:
        with Path(path).open(encoding="utf-8") as text:
            words = [line.split() for line, _ in zip(text, range(_MOST_LINES), strict=False)]
    except FileNotFoundError:
        raise InputError(
            f"{key}: no file '{path}'; paths start where snakemake is run. `make nep` fetches NEP89 as nep89.txt."
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{key}: '{path}' cannot be read ({error}).") from error
    lines = {line[0]: line[1:] for line in words if line}
    try:
        kind, count, *elements = words[0] if words and len(words[0]) > 2 else ("", 0)
        if kind not in KINDS or len(elements) != int(count) or not set(elements) <= set(atomic_numbers):
            raise ValueError(f"its first line is not that of {', '.join(KINDS[:-1])} or {KINDS[-1]}")
        radial, angular = zip(
            *([int(number) + 1 for number in lines[key]] for key in ("n_max", "basis_size")), strict=True
        )
        three, four, five = (int(number) for number in [*lines["l_max"], 0, 0][:3])
        neurons, cutoffs = int(lines["ANN"][0]), tuple(map(float, lines["cutoff"][:-2]))
        is_flexible = "zbl" in lines and [float(number) for number in lines["zbl"][:2]] == [0, 0]
        if not cutoffs:
            raise ValueError("no cut-off")
    except (KeyError, ValueError, IndexError) as error:
        reason = f"no line '{error.args[0]}'" if isinstance(error, KeyError) else error
        raise InputError(f"{key}: '{path}' is no neuroevolution potential ({reason}).") from error
    orders, types = (three, int(four > 0), int(five > 0)), len(elements)
    dimension = radial[0] + angular[0] * sum(orders)
    networks = types * (dimension + 2) * neurons + 1 + (types if kind.startswith("nep5") else 0)
    functions = types**2 * (radial[0] * radial[1] + angular[0] * angular[1])
    repulsion = 5 * types * (types + 1) if is_flexible else 0
    numbers = networks + functions + dimension + repulsion
    return Header(tuple(elements), dimension, cutoffs, radial, angular, orders, networks, numbers)


_MOST_LINES = 20
"""Lines within which the header ends."""


def refuse_unsound(path: str, key: str = PATH) -> None:
    """Refuse a model that is cut off or has other lines than numbers; nep-adapters would end the process there.

    Messages begin with ``key``.

    Raises
    ------
    InputError
        If it is.
    """
    _numbers(path, Path(path).stat().st_mtime_ns, key)


@lru_cache(maxsize=2)
def _numbers(path: str, changed: int, key: str) -> np.ndarray:
    """Return the parameters of a model, read once for as long as the file stays the same."""
    expected, lines = header(path, key).numbers, Path(path).read_bytes().rstrip().split(b"\n")
    start = next(n for n, line in enumerate(lines) if line.startswith(b"ANN")) + 1
    texts = lines[start : start + expected]
    if len(texts) < expected:
        raise InputError(
            f"{key}: '{path}' is cut off: it has {len(texts)} numbers instead of {expected}; copy or fetch it again."
        )
    try:
        numbers = np.fromiter(map(float, texts), float, expected)
    except ValueError:
        numbers = np.full(1, np.nan)
    if not np.isfinite(numbers).all():
        raise InputError(f"{key}: '{path}' has a line that is no number; copy or fetch it again.")
    return numbers


class Functions:
    """Features of a model by their formulas, for the sake of their derivatives.

    With g the radial functions, u the unit vectors to the neighbours, S = sum g u and Q = sum g (u u' - 1/3), the
    features of three bodies are sums of g g P_l(u.u) (2 l + 1) / 4 pi over all pairs of neighbours, the feature of four
    bodies is proportional to the determinant of Q, and that of five bodies to |S|^4: what Fan et al. (2022) write with
    spherical harmonics.

    Parameters
    ----------
    path : str
        A model that :func:`refuse_unsound` passes.

    Raises
    ------
    InputError
        If each element has its own cut-off, whose formulas are others.
    """

    def __init__(self, path: str) -> None:
        self._header = model = header(path)
        if len(model.cutoffs) != 2:
            raise InputError(f"{PATH}: derivatives of '{path}' are unknown; each element has its cut-off.")
        numbers, types = _numbers(path, Path(path).stat().st_mtime_ns, PATH), len(model.elements)
        middle = model.networks + types**2 * model.radial[0] * model.radial[1]
        end = middle + types**2 * model.angular[0] * model.angular[1]
        self._radial = numbers[model.networks : middle].reshape(*model.radial, types, types)
        self._angular = numbers[middle:end].reshape(*model.angular, types, types)
        self._scale = numbers[end : end + model.dimension]

    def __call__(self, atoms: Atoms) -> Iterator[Slopes]:
        """Describe the atoms of a structure one after the other."""
        from matscipy.neighbours import neighbour_list

        kinds = np.array([self._header.elements.index(symbol) for symbol in atoms.symbols])
        first, second, lengths, vectors = neighbour_list("ijdD", atoms, self._header.cutoff)
        order = np.argsort(first, kind="stable")
        first, second, lengths = first[order], second[order], lengths[order]
        units = vectors[order] / lengths[:, None]
        for center in range(len(atoms)):
            span = slice(*np.searchsorted(first, [center, center + 1]))
            r, u, other = lengths[span], units[span], second[span]
            parts = [self._two_bodies(r, u, kinds[center], kinds[other]), self._more(r, u, kinds[center], kinds[other])]
            values, gradients = (np.concatenate(part, axis=-1) for part in zip(*parts, strict=True))
            yield Slopes(center, self._scale * values, other, r[:, None] * u, self._scale * gradients)

    def _two_bodies(self, r: np.ndarray, u: np.ndarray, kind: int, kinds: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        g, dg = _functions(r, self._header.cutoffs[0], self._radial[:, :, kind, kinds])
        return g.sum(axis=0), u[:, :, None] * dg[:, None]

    def _more(self, r: np.ndarray, u: np.ndarray, kind: int, kinds: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Features (d,) of three and more bodies around one atom, and their derivatives (m, 3, d)."""
        g, dg = _functions(r, self._header.cutoffs[1], self._angular[:, :, kind, kinds])
        across, (most, four, five) = g / r[:, None], self._header.orders
        values, gradients = [], []
        cosines = u @ u.T
        for order in range(1, most + 1):
            series = np.eye(order + 1)[order]
            p, dp = legval(cosines, series), legval(cosines, legder(series))
            felt, factor = p @ g, (2 * order + 1) / (4 * np.pi)
            sideways = np.einsum("jk,kn,kx->jxn", dp, g, u) - u[:, :, None] * ((dp * cosines) @ g)[:, None]
            values.append(factor * (g * felt).sum(axis=0))
            gradients.append(2 * factor * (u[:, :, None] * (dg * felt)[:, None] + across[:, None] * sideways))
        if four:
            q = np.einsum("jn,jx,jy->nxy", g, u, u) - g.sum(axis=0)[:, None, None] * np.eye(3) / 3
            # The derivative of a determinant is its matrix of cofactors, whose rows are cross products.
            cofactors = np.cross(np.roll(q, -1, axis=1), np.roll(q, -2, axis=1))
            turned = np.einsum("nxy,jy->jxn", cofactors, u)
            along = np.einsum("jx,jxn->jn", u, turned)
            radial = dg * (along - np.trace(cofactors, axis1=1, axis2=2) / 3)
            sideways = 2 * (turned - u[:, :, None] * along[:, None])
            values.append(_FOUR_BODIES * np.linalg.det(q))
            gradients.append(_FOUR_BODIES * (u[:, :, None] * radial[:, None] + across[:, None] * sideways))
        if five:
            s = np.einsum("jn,jx->xn", g, u)
            squared, along = (s**2).sum(axis=0), u @ s
            sideways = s - u[:, :, None] * along[:, None]
            values.append(_FIVE_BODIES * squared**2)
            change = u[:, :, None] * (dg * along)[:, None] + across[:, None] * sideways
            gradients.append(4 * _FIVE_BODIES * squared * change)
        return np.concatenate(values), np.concatenate(gradients, axis=-1)


_FOUR_BODIES = -0.809943929279723
_FIVE_BODIES = 0.026596810706114
"""Factors of the programs, which have them from the normalisation of spherical harmonics."""


def _functions(r: np.ndarray, cutoff: float, coefficients: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return radial functions (m, n) at distances (m,) and their derivatives, from coefficients (n, k, m)."""
    x = 2 * (r / cutoff - 1) ** 2 - 1
    dx = 4 * (r / cutoff - 1) / cutoff
    count = coefficients.shape[1]
    f = (chebvander(x, count - 1) + 1) / 2
    df = np.stack([chebval(x, chebder(np.eye(count)[k])) * dx / 2 for k in range(count)], axis=-1)
    inside = r < cutoff
    fade = np.where(inside, 0.5 * (1 + np.cos(np.pi * r / cutoff)), 0)[:, None]
    dfade = np.where(inside, -0.5 * np.pi / cutoff * np.sin(np.pi * r / cutoff), 0)[:, None]
    return (
        np.einsum("mk,nkm->mn", f * fade, coefficients),
        np.einsum("mk,nkm->mn", df * fade + f * dfade, coefficients),
    )
