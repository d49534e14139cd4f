"""Time a design against the size of its pool: ``python benchmarks/scaling.py --sizes 10000 100000 1000000``.

Runs the workflow to one max-min design of 500 for each size, and adds up the CPU time of each stage's jobs from
Snakemake's benchmark files. The page about the design, whose cost does not grow with the pool, is not made. Writes
docs/images/scaling.svg. Existing results are not computed again. On two cores a million candidates take a minute and
3 GB, ten million ten minutes and 31 GB.
"""

import argparse
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import yaml
from matplotlib.figure import Figure

ROOT = Path(__file__).parents[1]
STAGES = {
    "candidates": "candidates",
    "descriptors": "descriptors",
    "design/compress": "compress",
    "design/select": "select",
}


def run(size: int, shard: int, folder: Path) -> pd.DataFrame:
    """Run one size, and return one row per stage: its jobs, CPU seconds, and the largest memory of a job in MiB."""
    study = yaml.safe_load((ROOT / "config" / "config.yaml").read_text())
    study |= {"study": f"scaling-{size}", "budget": 500, "designs": {"OPT1": {"pool": "A", "method": "maxmin"}}}
    study["pools"] |= {"names": ["A"], "size": size, "shard_size": min(size, shard)}
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{size}.yaml").write_text(yaml.safe_dump(study))
    command = [
        *(
            sys.executable,
            "-m",
            "snakemake",
            f"results/scaling-{size}/designs/OPT1.extxyz",
            "--snakefile",
            str(ROOT / "Snakefile"),
            "--directory",
            str(folder),
        ),
        *("--workflow-profile", str(ROOT / "profiles" / "default"), "--configfile", str(folder / f"{size}.yaml")),
        *("--quiet", "all"),
    ]
    began = time.perf_counter()
    subprocess.run(command, check=True)
    print(f"{size} candidates: {time.perf_counter() - began:.0f} s of wall time, unless parts were there", flush=True)
    rows = []
    for stage, name in STAGES.items():
        files = sorted((folder / "results" / f"scaling-{size}" / "benchmarks" / stage).rglob("*.tsv"))
        jobs = pd.concat([pd.read_csv(path, sep="\t") for path in files])
        rows.append((size, name, len(jobs), jobs["cpu_time"].sum(), jobs["max_rss"].max()))
    return pd.DataFrame(rows, columns=["size", "stage", "jobs", "cpu_s", "max_mib"])


def main() -> None:
    """Run all sizes, print the table, draw the figure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", type=int, nargs="+", default=[10_000, 100_000])
    parser.add_argument("--shard-size", type=int, default=100_000, help="candidates of a job (%(default)s)")
    parser.add_argument("--folder", type=Path, default=ROOT / "results" / "scaling", help="where to run (%(default)s)")
    arguments = parser.parse_args()
    table = pd.concat([run(size, arguments.shard_size, arguments.folder.resolve()) for size in arguments.sizes])
    print(table.to_string(index=False, float_format="%.1f"))
    figure = Figure(figsize=(6, 4), layout="constrained")
    axes = figure.add_subplot()
    for name in STAGES.values():
        mine = table[table["stage"] == name]
        axes.loglog(mine["size"], mine["cpu_s"], marker="o", label=name)
    axes.set(xlabel="candidates in the pool", ylabel="CPU seconds, all jobs", title="500 ranks by max-min")
    axes.legend(frameon=False)
    figure.savefig(ROOT / "docs" / "images" / "scaling.svg", metadata={"Date": None})


if __name__ == "__main__":
    main()
