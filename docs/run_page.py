"""Run the code of a page of documentation: ``python docs/run_page.py docs/toy-studies.md docs/images``.

All blocks of Python run one after another in the folder given, where their figures go. A block marked ``text`` after a
block of Python is what that prints; the program fails if it prints something else.
"""

import contextlib
import io
import os
import re
import sys
from pathlib import Path


def run(page: Path, folder: Path) -> dict[str, object]:
    """Run a page's code in a folder; what its names stand for in the end.

    Raises
    ------
    ValueError
        If a block prints something else than the page says.
    """
    blocks = re.findall(r"```python\n(.*?)```(?:\n+```text\n(.*?)```)?", page.read_text(encoding="utf-8"), re.DOTALL)
    names: dict[str, object] = {}
    with contextlib.chdir(folder):
        for code, expected in blocks:
            printed = io.StringIO()
            with contextlib.redirect_stdout(printed):
                exec(compile(code, str(page), "exec"), names)
            if printed.getvalue() != expected:
                raise ValueError(f"{page}: this is printed, and the page says otherwise:\n{printed.getvalue()}")
    return names


if __name__ == "__main__":
    os.environ.setdefault("MPLBACKEND", "svg")
    run(Path(sys.argv[1]).resolve(), Path(sys.argv[2]))
