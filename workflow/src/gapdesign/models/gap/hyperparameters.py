"""Hyperparameters that the likelihood determines, and the settings that give them the same meaning in gap_fit."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING, Any

from gapdesign.errors import InputError

if TYPE_CHECKING:
    from gapdesign.descriptors.kernel import CovarianceOptions
    from gapdesign.descriptors.soap import SoapOptions
    from gapdesign.models.gap.options import GapOptions

OPTIONAL = {"noise_force", "noise_virial"}
"""Keys of the file that only the likelihood of all labels finds."""


@dataclass(frozen=True)
class Hyperparameters:
    """Hyperparameters of one model, the content of ``models/<design>/hyperparameters.json``.

    Attributes
    ----------
    pair_scale, soap_scale
        Scales of the two covariances, in eV; 0 for a part that is not in the model.
    pair_length
        Length of the Gaussian pair kernel in angstrom.
    noise
        Standard deviation of the noise of energies in eV per atom.
    pair
        Fixed settings of the pair part: ``r_cut`` and ``transition``, in angstrom.
    soap
        Fixed settings of SOAP: ``r_cut``, ``transition`` and ``sigma`` in angstrom; ``n_max``, ``l_max``,
        ``zeta``; and ``compression``, if there is one.
    log_likelihood
        L at these values.
    optimizer
        Optimiser that found them.
    evaluations
        Number of evaluations of L, over all starts.
    starts
        L at the end of each start; None for a start that found no regular covariance.
    at_bound
        Names of hyperparameters that sit at a bound: the data do not determine them.
    environments, points
        Numbers of distinct environments in the design, and of those that are points of the potential.
    noise_force, noise_virial
        Expected errors of forces (eV/angstrom) and virials (eV per atom), where all labels determine them; ``noise``,
        L, ``starts`` and ``at_bound`` are then those of all labels, too.
    """

    pair_scale: float
    pair_length: float
    soap_scale: float
    noise: float
    pair: Mapping[str, float]
    soap: Mapping[str, float | str]
    log_likelihood: float
    optimizer: str
    evaluations: int
    starts: tuple[float | None, ...]
    at_bound: tuple[str, ...]
    environments: int = 0
    points: int = 0
    noise_force: float | None = None
    noise_virial: float | None = None

    def to_json(self) -> dict[str, Any]:
        """Return everything as a JSON object, without expected errors that were not found."""
        found = {key: value for key, value in asdict(self).items() if key not in OPTIONAL or value is not None}
        return found | {"starts": list(self.starts), "at_bound": list(self.at_bound)}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Hyperparameters:
        """Read the object that :meth:`to_json` returned.

        Raises
        ------
        InputError
            If keys are missing or unknown.
        """
        wrong = sorted(({field.name for field in fields(cls)} ^ set(value)) - (OPTIONAL - set(value)))
        if wrong:
            raise InputError(
                f"hyperparameters.json: keys {', '.join(wrong)} are missing or unknown; run the stage again."
            )
        return cls(**{**value, "starts": tuple(value["starts"]), "at_bound": tuple(value["at_bound"])})

    def expected_errors(self, options: GapOptions) -> dict[str, float]:
        """Return those of an ``energy``, a ``force`` and a ``virial`` that gap_fit is given."""
        found = (self.noise_force, self.noise_virial) if options.likelihood == "all" else (None, None)
        force, virial = found
        return {
            "energy": max(self.noise, options.sigma.energy_floor),
            "force": options.sigma.force if force is None else force,
            "virial": options.sigma.virial if virial is None else virial,
        }

    def check(self, *, soap: SoapOptions, kernel: CovarianceOptions, options: GapOptions) -> None:
        """Check that they were found for this configuration.

        Raises
        ------
        InputError
            If a cutoff, a size or a part of the model differs.
        """
        wanted = fixed(soap=soap, kernel=kernel, options=options)
        for part, scale, configured in (
            ("pair", self.pair_scale, kernel.pair.scale),
            ("soap", self.soap_scale, kernel.soap.scale),
        ):
            if dict(getattr(self, part)) != wanted[part] or (scale > 0) != (configured > 0):
                raise InputError(
                    f"hyperparameters.json: found for {part} {dict(getattr(self, part))} with scale {scale},"
                    f" but the configuration has {wanted[part]} with scale {configured}; run the stage again."
                )


def fixed(*, soap: SoapOptions, kernel: CovarianceOptions, options: GapOptions) -> dict[str, dict[str, Any]]:
    """Return the settings of ``pair`` and ``soap`` that are chosen, not found."""
    return {
        "pair": {"r_cut": kernel.pair.r_cut, "transition": kernel.pair.transition},
        "soap": {
            "r_cut": soap.r_cut,
            "transition": options.soap_transition,
            "sigma": soap.sigma,
            "n_max": soap.n_max,
            "l_max": soap.l_max,
            "zeta": kernel.soap.zeta,
        }
        | ({} if soap.compression == "none" else {"compression": soap.compression}),
    }
