"""Polished designs against the same ones as they were chosen, from the results of the study `zr-polish`.

    python config/studies/zr_polish.py [results/zr-polish]

Measures before labels, errors on the two test sets, and ratios of errors, pool by pool, with their 95 % intervals over
the five pools (Student's, of logarithms).
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
import pandas as pd
from zr_rounds import MEASURES, ratio

POOLS = "ABCDE"
PAIRS = (("OPTPOL", "OPT"), ("DETPOL", "DET"), ("OPT", "RND"), ("OPTPOL", "RND"), ("DET", "RND"), ("DETPOL", "RND"))
QUALITY = ("nearest_min", "nearest_mean", "covering_radius", "covering_mean", "posterior_std_max", "posterior_std_mean")


def main(results: Path) -> None:
    """Print the tables of the page."""
    quality = pd.read_csv(results / "quality.csv").set_index("design")
    print("before labels: ", ", ".join(QUALITY), ", log_det")
    for name in dict.fromkeys(name for pair in PAIRS[::-1] for name in reversed(pair)):
        mine = quality.loc[[f"{name}_{pool}" for pool in POOLS]]
        values = [f"{np.exp(np.log(mine[column]).mean()):8.3g}" for column in QUALITY]
        print(f"{name:10} ", "  ".join(values), f"{mine['log_det'].mean():9.4g}")
    for path in sorted((results / "designs/polished").glob("*.json")):
        told = json.loads(path.read_text(encoding="utf-8"))
        print(f"{path.stem}: {told['criterion']} {told['before']:.4g} to {told['after']:.4g}")
    errors = pd.read_csv(results / "crossval/errors.csv").set_index(["model", "test_set"])
    for tests in ("DRAWN", "SPREAD"):
        print(f"\n{tests}: {', '.join(MEASURES.values())}")

        def of_pools(name: str, measure: str, tests: str = tests) -> np.ndarray:
            return np.array([errors.loc[(f"{name}_{pool}", tests), measure] for pool in POOLS])

        for name in ("RND", "OPT", "OPTPOL", "DET", "DETPOL"):
            values = [np.exp(np.log(of_pools(name, measure)).mean()) for measure in MEASURES]
            print(f"{name:10} ", "  ".join(f"{value:8.3g}" for value in values))
        for one, other in PAIRS:
            ratios = (ratio(of_pools(one, measure), of_pools(other, measure)) for measure in MEASURES)
            print(f"{one}/{other}: ", "  ".join(ratios))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("results", nargs="?", type=Path, default=Path("results/zr-polish"))
    main(parser.parse_args().results)
