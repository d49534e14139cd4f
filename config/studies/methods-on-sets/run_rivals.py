"""Let other programs choose from the sets of the study, each in an environment of its own.

    python config/studies/methods-on-sets/run_rivals.py [results/methods-on-sets] [--rivals NAME ...]

A program is a script in `rivals/` beside this file, with its packages in the `.txt` of the same name. Its environment
is made in `.venv-rivals/<name>` when it is missing, by `python -m venv` and `pip install -r`. `nep_fps` also wants
`nep89.txt` (`make nep`). All run on one thread, and two runs write the same files.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from pathlib import Path

FOLDER = Path(__file__).parent / "rivals"
RIVALS = sorted(path.stem for path in FOLDER.glob("*.txt"))
ENVIRONMENTS = Path(".venv-rivals")
ONE_THREAD = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS")
ONE_THREAD += ("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS")


def interpreter(name: str) -> Path:
    """Return the interpreter of a program's environment, which is made if it is not complete."""
    place, done = ENVIRONMENTS / name, ENVIRONMENTS / name / ".installed"
    python = place / "bin" / "python"
    packages = (FOLDER / f"{name}.txt").read_text(encoding="utf-8")
    if not done.is_file() or done.read_text(encoding="utf-8") != packages:
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(place)], check=True)
        install = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r", str(FOLDER / f"{name}.txt")]
        subprocess.run([str(python), *install], check=True)
        done.write_text(packages, encoding="utf-8")
    return python


def main(results: Path, names: list[str], sets: list[str], splits: int) -> None:
    """Run the programs one after the other, for each set in a process of its own; stop at the first that fails."""
    environment = os.environ | dict.fromkeys(ONE_THREAD, "1") | {"TF_CPP_MIN_LOG_LEVEL": "3"}
    # The project's own packages stay out of the programs' environments.
    environment.pop("PYTHONPATH", None)
    for name in names:
        python = interpreter(name)
        for one in sets or sorted(path.parent.name for path in results.glob("*/splits.json")):
            # TensorFlow keeps some 5 MB of every structure that M3GNet describes, as long as its process lives.
            words = ["--sets", one, "--splits", str(splits)]
            subprocess.run([str(python), str(FOLDER / f"{name}.py"), str(results), *words], check=True, env=environment)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("results", nargs="?", type=Path, default=Path("results/methods-on-sets"))
    parser.add_argument("--rivals", nargs="+", choices=RIVALS, default=RIVALS, metavar="NAME")
    parser.add_argument("--sets", nargs="+", default=[], metavar="NAME", help="sets to do; all by default")
    parser.add_argument("--splits", type=int, default=10, help="how many splits of each set; all ten by default")
    arguments = parser.parse_args()
    main(arguments.results, arguments.rivals, arguments.sets, arguments.splits)
