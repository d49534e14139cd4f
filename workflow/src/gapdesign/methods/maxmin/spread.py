"""The distance that polishing a max-min design raises."""

from __future__ import annotations

import numpy as np

from gapdesign.descriptors.covariance import Covariance, first_farthest, reach
from gapdesign.methods.shared.coordinates import Criterion


class Spread(Criterion):
    """The smallest distance D of two structures, of which at least one is a member.

    A member moves if it is then farther from the structure nearest to it, so that the smallest distances of the design
    grow in order: the sorted list of all distances rises at its first place that changes.

    Parameters
    ----------
    features, existing : (n, dimension), (m, dimension) float32
    covariance : Covariance
    """

    words = "smallest distance"

    def __init__(self, features: np.ndarray, existing: np.ndarray, covariance: Covariance) -> None:
        super().__init__(features, existing)
        self._covariance = covariance

    def value(self) -> float:
        """Return the smallest distance."""
        places = range(len(self.features))
        return float(np.sqrt(min(self._nearest(place, self.features[place]) for place in places)))

    def better(self, place: int, trials: np.ndarray) -> int | None:
        """Return the trial farthest from the structure nearest to it, if it is farther than the member is."""
        others, own = self.others(place), self.features[place]
        squared = np.array([self._covariance.distance2(others, trial).min() for trial in trials])
        best = first_farthest(squared)
        is_farther = reach(squared[best]) > self._covariance.distance2(others, own).min()
        return best if is_farther and squared[best] > self._covariance.overlap else None

    def _nearest(self, place: int, features: np.ndarray) -> float:
        return float(self._covariance.distance2(self.others(place), features).min())
