"""Ask whether what the design page says of further structures comes true.

    python benchmarks/next_hundred.py results/*/quality/curves.csv

The page extends the power law of the last doubling of a design. Each table has the covering radius of many prefixes of
a design, so that the same can be said of a prefix, and compared with what came. Between the sizes that a table has,
radii are interpolated as powers of the size.
"""

import argparse
from pathlib import Path

import numpy as np
import pandas as pd

from gapdesign.report.advice import outlook

SIZES = (50, 100, 200, 400)


def main() -> None:
    """Print, for each table and size, by how much the radius was said to fall and by how much it fell."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("curves", type=Path, nargs="+", help="results/<study>/quality/curves.csv")
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES, help="sizes of prefixes (%(default)s)")
    arguments = parser.parse_args()
    print(
        "| study | structures | further | said to fall by | fell by | designs |\n| --- | --- | --- | --- | --- | --- |"
    )
    for path in arguments.curves:
        curves = pd.read_csv(path, keep_default_na=True).fillna({"design": ""})
        whole = curves[curves["candidates"] == curves.groupby("pool")["candidates"].transform("max")]
        for size in arguments.sizes:
            said, came = [], []
            for design, own in whole[whole["design"] != ""].groupby("design"):
                radii = own.set_index("size")["covering_radius"]
                found = outlook(own[own["size"] <= size], design)
                if found.size == size and size + found.more <= radii.index.max():
                    then = np.exp(np.interp(np.log(size + found.more), np.log(radii.index), np.log(radii)))
                    said.append(1 - found.radius_then / found.radius)
                    came.append(1 - then / found.radius)
            if said:
                print(
                    f"| {path.parent.parent.name} | {size} | {found.more} | {np.mean(said):.0%} ({min(said):.0%} to"
                    f" {max(said):.0%}) | {np.mean(came):.0%} ({min(came):.0%} to {max(came):.0%}) | {len(said)} |"
                )


if __name__ == "__main__":
    main()
