"""Labels that do not fit the others: constants that most follow, and structures of which nothing can be said."""

import numpy as np
from ase.build import bulk

from gapdesign.labels.misfits import beyond_most, misfits


def test_energies_beyond_sums_that_most_follow_do_not_depend_on_a_few():
    rng = np.random.default_rng(3)
    shares = rng.dirichlet([1, 1], 50)
    energies = shares @ [-3.0, -8.0]
    energies[[7, 20]] += [157.0, -40.0]
    off = beyond_most(shares, energies)
    np.testing.assert_allclose(off[[7, 20]], [157.0, -40.0], atol=1e-3)
    assert np.abs(np.delete(off, [7, 20])).max() < 1e-3


def test_nothing_is_said_of_too_few_or_of_perfect_crystals():
    crystal = bulk("Cu", "fcc", a=3.6, cubic=True)
    crystal.info["REF_energy"] = -15.0
    crystal.arrays["REF_forces"] = np.zeros((4, 3))
    assert misfits([crystal] * 7) == []
    assert misfits([crystal] * 20) == []
