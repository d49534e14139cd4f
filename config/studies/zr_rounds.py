"""Rounds against one choice at equal labels, from the results of the study `zr-rounds`.

    python config/studies/zr_rounds.py [results/zr-rounds]

Ratios of errors on the two test sets, pool by pool, with their 95 % intervals over the five pools (Student's, of
logarithms).
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.stats import t

PAIRS = (("ROUNDS", "ONCE"), ("INFROUNDS", "INF"), ("ONCE", "RND"), ("ROUNDS", "RND"), ("INF", "RND"))
MEASURES = {
    "rmse_mev": "energies, rmse",
    "worst_twentieth_mev": "worst twentieth",
    "rmse_force_mev_a": "forces, rmse",
    "worst_twentieth_force_mev_a": "worst twentieth",
}


def of_pools(errors: pd.DataFrame, name: str, tests: str, measure: str) -> np.ndarray:
    """Return an error of the designs of a name, by pool: of a chain that of its last round."""
    found = []
    for pool in "ABCDE":
        model = f"{name}_{pool}_4" if f"{name}_{pool}_4" in set(errors["model"]) else f"{name}_{pool}"
        (value,) = errors[(errors["model"] == model) & (errors["test_set"] == tests)][measure]
        found.append(value)
    return np.array(found)


def ratio(own: np.ndarray, others: np.ndarray) -> str:
    """Return the geometric mean of ratios, with its interval."""
    logarithms = np.log(own / others)
    half = t.ppf(0.975, len(own) - 1) * logarithms.std(ddof=1) / np.sqrt(len(own))
    low, middle, high = np.exp(logarithms.mean() + np.array([-half, 0, half]))
    return f"{middle:.2f} ({low:.2f} to {high:.2f})"


def main(results: Path) -> None:
    """Print the table of the page, and that of the rounds."""
    errors = pd.read_csv(results / "crossval/errors.csv")
    for tests in ("DRAWN", "SPREAD"):
        print(f"\n{tests}: {', '.join(MEASURES.values())}")
        for name in ("RND", "ONCE", "ROUNDS", "INF", "INFROUNDS"):
            values = [np.exp(np.log(of_pools(errors, name, tests, measure)).mean()) for measure in MEASURES]
            print(f"{name:10} ", "  ".join(f"{value:8.3g}" for value in values))
        for one, other in PAIRS:
            ratios = (ratio(*(of_pools(errors, name, tests, measure) for name in (one, other))) for measure in MEASURES)
            print(f"{one}/{other}: ", "  ".join(ratios))
    rounds = pd.read_csv(results / "rounds.csv")
    rounds["chain"] = rounds["design"].str.extract(r"^([A-Z]+)_")
    rounds["round"] = rounds["design"].str[-1]
    columns = ["expected_gain", "energy_rmse_mev", "force_rmse_mev_a", "seen_energy_gain", "seen_force_gain"]
    print("\n", rounds.groupby(["chain", "round"])[columns].median().round(3).to_string())


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("results", nargs="?", type=Path, default="results/zr-rounds", help="results (%(default)s)")
    given = parser.parse_args()
    if not (given.results / "rounds.csv").is_file():
        parser.error(f"no file '{given.results}/rounds.csv'; run the study first")
    main(given.results)
