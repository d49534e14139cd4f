"""How much of a labelled set would have been enough: the replay of a set in one line."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import numpy as np

from gapdesign import notebook
from gapdesign.errors import InputError
from gapdesign.inputs.frames import Frame
from gapdesign.inputs.labels import Labelled
from gapdesign.methods import METHODS, default_of_frames
from gapdesign.replay.options import SHARE
from gapdesign.sets.features import described, rows_of
from gapdesign.sets.held import FrameSet

if TYPE_CHECKING:
    import pandas as pd

FEWEST = 20
"""Labelled structures below which nothing can be said."""

MOST = 15_000
"""Atoms of the structures that are used, a random sample if the set has more."""

SHARES = (0.05, 0.1, 0.2, 0.3, 0.4, 0.6, 0.8, 1.0)
"""Shares of the structures to train on."""

DRAWS = 8
"""Random orders."""

ENOUGH = 1.1
"""An error of so many times that of the whole set is as good."""

CLEAR = 0.75
"""Share of random draws that the method must err less than to be called better; the rest, for it to be called worse."""

CHOSEN = default_of_frames()
TITLE = METHODS[CHOSEN].title
BLIND = next(name for name, member in METHODS.items() if member.is_baseline)

MEASURES = {"energy": ("energy_rmse_mev", "meV/atom"), "forces": ("force_rmse_mev", "meV/angstrom")}
"""Kind of label to its error in the table, and its unit."""


@dataclass(frozen=True, kw_only=True)
class Worth:
    """What parts of a set are worth.

    Attributes
    ----------
    errors, equivalents : DataFrame
        As those of a replay, for the designs ``MAXMIN`` and ``RANDOM``.
    budgets : list of int
        Structures trained on.
    tested : int
        Structures that no potential was trained on.
    given : int
        Labelled structures of the set, of which ``budgets[-1] + tested`` were used.
    functions : int
        Of the linear model.
    """

    errors: pd.DataFrame
    equivalents: pd.DataFrame
    budgets: list[int]
    tested: int
    given: int
    functions: int

    @property
    def kinds(self) -> list[str]:
        """Kinds of label that have errors."""
        return [kind for kind, (measure, _) in MEASURES.items() if self.errors[measure].notna().any()]

    def error(self, method: str, kind: str) -> np.ndarray:
        """Return the error (n,) for each budget; of random draws, the mean."""
        return self._by_budget(method, kind).mean().to_numpy()

    def range(self, kind: str) -> np.ndarray:
        """Return the ends (2, n) of the interval that holds nine in ten random draws, for each budget."""
        drawn = self._by_budget(BLIND, kind)
        return np.stack([drawn.quantile(share).to_numpy() for share in (0.05, 0.95)])

    def enough(self, method: str, kind: str) -> int:
        """Return the least budget from which on the error is within a tenth of that of all structures."""
        errors = self.error(method, kind)
        good = errors <= ENOUGH * self.error(CHOSEN, kind)[-1]
        first = len(good) - int(np.argmin(good[::-1])) if not good.all() else 0
        return self.budgets[first]

    def beaten(self, kind: str) -> float:
        """Return the share of random draws that err more than the method, over all budgets but the last."""
        from gapdesign.replay.fits import judged

        rows = judged(self.errors, None)
        wide = rows.pivot(index=["method", "draw"], columns="budget", values=MEASURES[kind][0]).iloc[:, :-1]
        return float((wide.loc[BLIND].to_numpy() > wide.loc[CHOSEN].to_numpy()).mean())

    def _by_budget(self, method: str, kind: str):
        from gapdesign.replay.fits import judged

        rows = judged(self.errors, None)
        return rows[rows["method"] == method].groupby("budget")[MEASURES[kind][0]]


def worth(
    labelled: Sequence[Labelled], name: str, *, seed: int = 0, progress: Callable[[str], None] = lambda line: None
) -> Worth:
    """Train a linear model on more and more of a set, chosen as `pick` does and at random, and test on the rest.

    Parameters
    ----------
    labelled
        All frames of the set.
    name
        Of the set, for people.

    Raises
    ------
    InputError
        If too few structures have an energy, or there is no memory for their features.
    """
    from gapdesign.methods.shared.chance import shuffled
    from gapdesign.replay.equivalents import equivalents
    from gapdesign.replay.testset import left_out

    able = [
        each for each in labelled if not each.alone and each.values.energy is not None and each.atoms.cell.rank == 3
    ]
    if len(able) < FEWEST:
        raise InputError(
            f"FILE: '{name}' has {len(able)} structures with an energy and a cell; {FEWEST} are the fewest of which"
            " some can be left out for a test."
        )
    used = _sample(able, shuffled(f"{seed}/worth/sample", len(able)))
    given = FrameSet(name, [Frame(each.atoms, each.source, each.number) for each in used], 0)
    test = left_out(seed, "worth", len(used), SHARE)
    rest = np.setdiff1d(np.arange(len(used)), test)
    budgets = sorted({max(2, round(share * len(rest))) for share in SHARES})
    orders = {(CHOSEN, 0): rest[_order(given, rest, seed, progress)]}
    orders |= {(BLIND, k): rest[shuffled(f"{seed}/worth/draw/{k}", len(rest))] for k in range(DRAWS)}
    errors, functions = _errors(used, given, test, orders, budgets, seed, progress)
    return Worth(
        errors=errors,
        equivalents=equivalents(errors, core=None),
        budgets=budgets,
        tested=len(test),
        given=len(able),
        functions=functions,
    )


def _sample(able: Sequence[Labelled], order: np.ndarray) -> list[Labelled]:
    """Return structures of up to :data:`MOST` atoms, the first in random order, in the order of the file."""
    atoms = np.cumsum([len(able[place].atoms) for place in order])
    count = max(FEWEST, int(np.searchsorted(atoms, MOST, side="right")))
    return [able[place] for place in np.sort(order[:count])]


def _order(given: FrameSet, rest: np.ndarray, seed: int, progress: Callable[[str], None]) -> np.ndarray:
    """Return the places (n,) of all candidates in the order chosen; those that coincide with others come last."""
    from gapdesign.descriptors.options import DescriptorOptions

    features = described(given, given.elements, given.description(DescriptorOptions().backend), progress)
    chosen = notebook.select(rows_of(features, rest), len(rest), method=CHOSEN, seed=seed).indices
    return np.concatenate([chosen, np.setdiff1d(np.arange(len(rest)), chosen)])


def _errors(
    used: Sequence[Labelled],
    given: FrameSet,
    test: np.ndarray,
    orders: dict[tuple[str, int], np.ndarray],
    budgets: Sequence[int],
    seed: int,
    progress: Callable[[str], None],
) -> tuple[pd.DataFrame, int]:
    """Return the errors of a potential for each order and budget, and the number of its functions."""
    import pandas as pd

    from gapdesign.descriptors.options import DescriptorOptions
    from gapdesign.progress import Pace
    from gapdesign.replay.fits import errors, trainings
    from gapdesign.sets.linear import rows_in

    pool, fitted, places, pace = "SET", [], [], Pace()
    with TemporaryDirectory(prefix="gapdesign-") as folder:
        description = given.description(DescriptorOptions().backend)
        rows, start = rows_in(Path(folder), used, description, seed, progress)
        for (method, draw), order in orders.items():
            chosen = [{pool: order[:budget].tolist()} for budget in budgets]
            of_order = trainings(start, {pool: rows}, chosen)
            for budget, own, training in zip(budgets, chosen, of_order, strict=True):
                fitted.append((training.coefficients(), own))
                places.append({"design": method.upper(), "method": method, "budget": budget, "draw": draw})
            if pace.is_due():
                progress(f"{len(fitted)} of {len(orders) * len(budgets)} fits")
        found = errors(
            {pool: rows}, None, np.array([own for own, _ in fitted]), [own for _, own in fitted], {pool: test}
        )
    table = pd.DataFrame(places).loc[found["number"]].reset_index(drop=True)
    return pd.concat([table, found.drop(columns="number")], axis=1), len(start.values) - 1


def table_of(found: Worth) -> list[list[float | int | str | None]]:
    """Return a row per budget: its share, structures, and for each kind of label the errors of both, with the range."""
    rows = []
    for place, budget in enumerate(found.budgets):
        cells: list[float | int | str | None] = [f"{100 * budget / found.budgets[-1]:.0f} %", budget]
        for kind in found.kinds:
            low, high = found.range(kind)[:, place]
            cells += [
                float(found.error(CHOSEN, kind)[place]),
                float(found.error(BLIND, kind)[place]),
                f"{low:.3g} to {high:.3g}",
            ]
        rows.append(cells)
    return rows


def in_words(found: Worth) -> list[str]:
    """Return what was found, a sentence or two a line."""
    count, lines = found.budgets[-1], []
    for kind in found.kinds:
        own, blind = found.enough(CHOSEN, kind), found.enough(BLIND, kind)
        lines.append(
            f"{kind}: {own} of {count} frames by {TITLE} are as good as all (within a tenth of their error);"
            f" {blind} at random"
        )
        lines.append(f"{kind}: {_verdict(found, kind)}")
    return lines


def _verdict(found: Worth, kind: str) -> str:
    """Return which order of frames is better, with the clearest example of equal worth."""
    beaten = found.beaten(kind)
    counted = f"{TITLE} errs less than {100 * beaten:.0f} % of random draws of its size"
    if beaten <= 1 - CLEAR:
        return f"random draws do better here: {counted}; it spends frames on rare ones, which this test set hardly has"
    if beaten < CLEAR:
        return f"random draws are as good here: {counted}"
    same = found.equivalents[found.equivalents["measure"] == MEASURES[kind][0]].dropna(subset="random_structures")
    if not len(same):
        return counted
    best = same.loc[(same["random_structures"] / same["budget"]).idxmax()]
    return f"{counted}; with {best['budget']:.0f} frames it is as good as random with {best['random_structures']:.0f}"
