"""Run a page of documentation: ``python docs/run_page.py docs/toy-studies.md docs/images``.

Its blocks run one after another in the folder given, where their files go: those of ``python`` in one interpreter,
those of ``bash`` each in a shell that stops at the first error, and one with a ``title`` is written to the file that
this names. A block of ``text`` after one of these is what it prints; the program fails if it prints something else.
"""

import contextlib
import io
import os
import re
import subprocess
import sys
from pathlib import Path

BLOCK = re.compile(
    r'^```(python|bash|\w+ title="([^"]+)")\n(.*?)^```$(?:\n+```text\n(.*?)^```$)?', re.DOTALL | re.MULTILINE
)


def run(page: Path, folder: Path) -> dict[str, object]:
    """Run a page's blocks in a folder; what its names in Python stand for in the end.

    Raises
    ------
    ValueError
        If a block prints something else than the page says.
    subprocess.CalledProcessError
        If a command fails.
    """
    names: dict[str, object] = {}
    with contextlib.chdir(folder):
        for kind, title, content, expected in BLOCK.findall(page.read_text(encoding="utf-8")):
            if title:
                Path(title).write_text(content, encoding="utf-8")
                continue
            printed = _shell(content) if kind == "bash" else _python(content, page, names)
            if (expected or kind == "python") and printed != expected:
                raise ValueError(f"{page}: this is printed, and the page says otherwise:\n{printed}")
    return names


def _python(code: str, page: Path, names: dict[str, object]) -> str:
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(compile(code, str(page), "exec"), names)
    return printed.getvalue()


def _shell(commands: str) -> str:
    """What commands print; what they say beside that goes where it always does."""
    words = ["bash", "-euo", "pipefail", "-c", commands]
    return subprocess.run(words, check=True, stdout=subprocess.PIPE, text=True).stdout


if __name__ == "__main__":
    os.environ.setdefault("MPLBACKEND", "svg")
    run(Path(sys.argv[1]).resolve(), Path(sys.argv[2]))
