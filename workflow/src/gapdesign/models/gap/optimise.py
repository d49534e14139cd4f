"""Maximum-likelihood hyperparameters, by L-BFGS or by CMA-ES (BR 3.2)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from gapdesign.errors import InputError
from gapdesign.models.gap.environments import boxed, energies_above_atoms, environments
from gapdesign.models.gap.evidence import Evidence, labelled
from gapdesign.models.gap.hyperparameters import Hyperparameters, fixed
from gapdesign.models.gap.likelihood import Likelihood
from gapdesign.models.gap.points import distinct_environments, expand, model_of
from gapdesign.models.gap.rows import LabelRows
from gapdesign.models.gap.training import training_frame

if TYPE_CHECKING:
    from ase import Atoms

    from gapdesign.descriptors.kernel import CovarianceOptions
    from gapdesign.descriptors.soap import SoapOptions
    from gapdesign.models.gap.options import CmaOptions, GapOptions, LbfgsOptions

SINGULAR = 1e30
GAIN = 0.01
DIGITS = 6
NEAR = 1e-3
STARTS = 3
"""Largest number of starts for the expected errors of all labels, from which one maximum was found wherever tried."""


class _Record:
    """Count of evaluations and best point of a start, since an optimiser may end on a worse one."""

    def __init__(self) -> None:
        self.evaluations = 0
        self.value = -np.inf
        self.theta: np.ndarray | None = None

    def see(self, theta: np.ndarray, value: float) -> None:
        self.evaluations += 1
        if value > self.value:
            self.value, self.theta = value, theta.copy()


def optimise(
    frames: Sequence[Atoms],
    isolated: Sequence[Atoms],
    *,
    soap: SoapOptions,
    kernel: CovarianceOptions,
    options: GapOptions,
    rng: np.random.Generator,
    tell: Callable[[str], object] = lambda _: None,
) -> Hyperparameters:
    """Find the hyperparameters under which the energies of a design are most likely.

    Then, if the options say so, find the expected errors under which all its labels are.

    The isolated atoms count as data, as they do for gap_fit. The result has six significant digits, and linear algebra
    runs in one thread, so that the result does not depend on the number of threads.

    Parameters
    ----------
    frames
        Labelled structures, with ``REF_energy`` in ``info`` (eV).
    isolated
        One frame of a single atom per element, likewise.
    soap, kernel
        The model; a part whose scale in ``kernel`` is 0 is left out.
    options
        Optimiser, bounds, cutoff.
    rng
        Source of the random starts.
    tell
        Receives lines of progress.

    Raises
    ------
    InputError
        If there are no structures, energies or isolated atoms are missing, both scales are 0, or no start
        found a regular covariance.
    """
    from threadpoolctl import threadpool_limits

    if not frames:
        raise InputError("labels: the design has no labelled structure; a model needs at least one.")
    if kernel.pair.scale == 0 and kernel.soap.scale == 0:
        raise InputError("kernel: soap.scale and pair.scale are both 0; a model needs one of them above 0.")
    boxes = boxed(isolated, cutoff=max(soap.r_cut, kernel.pair.r_cut))
    data = [*frames, *boxes]
    energies = energies_above_atoms(data, boxes)
    with threadpool_limits(1, user_api="blas"):
        seen = environments(data, soap=soap, kernel=kernel, transition=options.soap_transition)
        likelihood = Likelihood(
            seen,
            energies,
            zeta=kernel.soap.zeta,
            smallest_length=min(options.bounds.pair_length[0], kernel.pair.length),
        )
        if options.optimizer == "cma":
            records = cma(likelihood, options=options.cma, bounds=_bounds(likelihood, options), rng=rng)
        else:
            first = _configured(likelihood, kernel)
            records = lbfgs(
                likelihood, options=options.lbfgs, bounds=_bounds(likelihood, options), rng=rng, first=first
            )
        found = _result(likelihood, records, soap=soap, kernel=kernel, options=options)
        model = model_of(found, soap=soap, kernel=kernel, options=options)
        basis = expand(seen, model, options.sparse)
        if options.likelihood == "all":
            rows = labelled([*map(training_frame, frames), *boxes], energies, LabelRows(basis, model), tell)
            found = _with_all_labels(found, Evidence(basis.covariance(model), rows), options, rng)
    points = sum(map(len, basis.soap.values()))
    return replace(found, environments=distinct_environments(seen), points=points)


def lbfgs(
    likelihood: Likelihood | Evidence,
    *,
    options: LbfgsOptions,
    bounds: np.ndarray,
    rng: np.random.Generator,
    first: np.ndarray | None = None,
) -> list[_Record]:
    """Climb by L-BFGS-B with the analytic gradient, restarting from the best point for as long as that helps.

    Near the optimum the covariance is so ill-conditioned that line searches end ABNORMAL because of
    rounding errors; a restart discards the spoilt curvature.

    Parameters
    ----------
    likelihood
        Function to maximise.
    options
        Number of starts.
    bounds
        Bounds of ``theta``, shape (k, 2).
    rng
        Draws the starts, uniformly within the bounds.
    first
        Theta of the first start; by default it is drawn too.
    """
    from scipy.optimize import minimize

    starts = rng.uniform(bounds[:, 0], bounds[:, 1], size=(options.starts, len(bounds)))
    if first is not None:
        starts[0] = np.clip(first, bounds[:, 0], bounds[:, 1])
    records = []
    for start in starts:
        record = _Record()

        def negative(theta: np.ndarray, record: _Record = record) -> tuple[float, np.ndarray]:
            value, gradient = likelihood.value_and_gradient(theta)
            record.see(theta, value)
            return (-value if np.isfinite(value) else SINGULAR), -gradient

        point, before = start, -np.inf
        while point is not None:
            minimize(
                negative,
                point,
                jac=True,
                bounds=bounds,
                method="L-BFGS-B",
                options={"maxiter": options.iterations},
            )
            point = record.theta if record.value > before + GAIN else None
            before = record.value
        records.append(record)
    return records


def cma(likelihood: Likelihood, *, options: CmaOptions, bounds: np.ndarray, rng: np.random.Generator) -> list[_Record]:
    """Climb by CMA-ES, in independent runs from random points, with steps of a quarter of the bounds.

    Parameters and result are those of :func:`lbfgs`.
    """
    from cma import CMAEvolutionStrategy

    settings = {
        "popsize": options.population,
        "maxiter": options.generations,
        "bounds": [bounds[:, 0].tolist(), bounds[:, 1].tolist()],
        "CMA_stds": (bounds[:, 1] - bounds[:, 0]).tolist(),
        "randn": _normal(rng),
        "seed": np.nan,
        "verbose": -9,
    }
    records = []
    for _ in range(options.restarts):
        record = _Record()
        strategy = CMAEvolutionStrategy(rng.uniform(bounds[:, 0], bounds[:, 1]), 0.25, dict(settings))
        while not strategy.stop():
            points = strategy.ask()
            values = [likelihood.value(np.asarray(point)) for point in points]
            for point, value in zip(points, values, strict=True):
                record.see(np.asarray(point), value)
            strategy.tell(points, [-value if np.isfinite(value) else SINGULAR for value in values])
        records.append(record)
    return records


def _normal(rng: np.random.Generator) -> Callable[..., np.ndarray]:
    """Make cma, which knows only the global generator, draw from this one."""
    return lambda *shape: rng.standard_normal(shape)


def _bounds(likelihood: Likelihood | Evidence, options: GapOptions) -> np.ndarray:
    return np.log([getattr(options.bounds, name) for name in likelihood.names])


def _configured(likelihood: Likelihood, kernel: CovarianceOptions) -> np.ndarray:
    """Theta of the configured kernel, with a noise of 10 meV per atom."""
    values = {
        "pair_scale": kernel.pair.scale,
        "pair_length": kernel.pair.length,
        "soap_scale": kernel.soap.scale,
        "noise": 0.01,
    }
    return np.log([values[name] for name in likelihood.names])


def _result(
    likelihood: Likelihood,
    records: Sequence[_Record],
    *,
    soap: SoapOptions,
    kernel: CovarianceOptions,
    options: GapOptions,
) -> Hyperparameters:
    best = max(records, key=lambda record: record.value)
    if best.theta is None:
        raise InputError(
            "model.bounds: the covariance of the energies is singular wherever it was tried; raise the lower"
            " bound of noise or lower the upper bounds of the scales."
        )
    found = _values(likelihood, best)
    return Hyperparameters(
        pair_scale=found.get("pair_scale", 0.0),
        pair_length=found.get("pair_length", kernel.pair.length),
        soap_scale=found.get("soap_scale", 0.0),
        noise=found["noise"],
        **fixed(soap=soap, kernel=kernel, options=options),
        log_likelihood=_rounded(best.value),
        optimizer=options.optimizer,
        evaluations=sum(record.evaluations for record in records),
        starts=_ends(records),
        at_bound=_at_bound(likelihood, best, options),
    )


def _with_all_labels(
    found: Hyperparameters, evidence: Evidence, options: GapOptions, rng: np.random.Generator
) -> Hyperparameters:
    """Return the hyperparameters with the expected errors under which all labels are most likely."""
    believed = {"noise": found.noise, "noise_force": options.sigma.force, "noise_virial": options.sigma.virial}
    records = lbfgs(
        evidence,
        options=options.lbfgs.model_copy(update={"starts": min(STARTS, options.lbfgs.starts)}),
        bounds=_bounds(evidence, options),
        rng=rng,
        first=np.log([believed[name] for name in evidence.names]),
    )
    best = max(records, key=lambda record: record.value)
    if best.theta is None:
        raise InputError(
            "model.bounds: the likelihood of all labels is singular wherever it was tried; raise the lower bounds of"
            " noise, noise_force and noise_virial, or set model.likelihood to energies."
        )
    of_energies = tuple(name for name in found.at_bound if name not in evidence.names)
    return replace(
        found,
        **_values(evidence, best),
        log_likelihood=_rounded(best.value),
        evaluations=found.evaluations + sum(record.evaluations for record in records),
        starts=_ends(records),
        at_bound=of_energies + _at_bound(evidence, best, options),
    )


def _values(likelihood: Likelihood | Evidence, best: _Record) -> dict[str, float]:
    """Return the hyperparameters of the best point."""
    return {name: _rounded(value) for name, value in zip(likelihood.names, np.exp(best.theta), strict=True)}


def _at_bound(likelihood: Likelihood | Evidence, best: _Record, options: GapOptions) -> tuple[str, ...]:
    """Return the names of those that sit at a bound."""
    bounds = _bounds(likelihood, options)
    return tuple(
        name
        for name, theta, (low, high) in zip(likelihood.names, best.theta, bounds, strict=True)
        if min(theta - low, high - theta) < NEAR * (high - low)
    )


def _ends(records: Sequence[_Record]) -> tuple[float | None, ...]:
    """Return L at the end of each start."""
    return tuple(_rounded(record.value) if record.theta is not None else None for record in records)


def _rounded(value: float) -> float:
    return float(f"{value:.{DIGITS}g}")
