"""Run a page of documentation: ``python docs/run_page.py docs/toy-studies.md docs/images``.

The blocks of the page run one after another in the given folder, which also receives their files. All blocks of
``python`` share one interpreter; each block of ``bash`` has a shell that stops at the first error; a block with a
``title`` is written to the file of that name. A block of ``text`` after one of these holds the expected output: the
program fails if a block prints something else.
"""

import contextlib
import io
import os
import re
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import NamedTuple

FENCE = re.compile(
    r'^(?P<indent> *)```(?P<language>\w*)(?: title="(?P<title>[^"]+)")?\n(?P<content>.*?)^(?P=indent)```$'
    r"(?:\n+(?P=indent)```text\n(?P<printed>.*?)^(?P=indent)```$)?",
    re.DOTALL | re.MULTILINE,
)


class Block(NamedTuple):
    """A block of a page: the line where it begins, its language, its content, and the output that the page expects."""

    line: int
    language: str
    title: str
    content: str
    printed: str


def blocks(text: str) -> list[Block]:
    """Return all blocks of a page, in order."""
    return [
        Block(
            text.count("\n", 0, found.start()) + 1,
            found["language"],
            found["title"] or "",
            textwrap.dedent(found["content"]),
            textwrap.dedent(found["printed"] or ""),
        )
        for found in FENCE.finditer(text)
    ]


def run(page: Path, folder: Path) -> dict[str, object]:
    """Run the blocks of a page in a folder, and return the final values of its Python names.

    Raises
    ------
    ValueError
        If a block prints something other than the page says.
    subprocess.CalledProcessError
        If a command fails.
    """
    names: dict[str, object] = {}
    with contextlib.chdir(folder):
        for block in blocks(page.read_text(encoding="utf-8")):
            if block.title:
                Path(block.title).parent.mkdir(parents=True, exist_ok=True)
                Path(block.title).write_text(block.content, encoding="utf-8")
            elif block.language in ("bash", "python"):
                is_python = block.language == "python"
                printed = _python(block.content, page, names) if is_python else _shell(block.content)
                if (block.printed or is_python) and printed != block.printed:
                    raise ValueError(
                        f"{page}, line {block.line}: this is printed, and the page says otherwise:\n{printed}"
                    )
    return names


def _python(code: str, page: Path, names: dict[str, object]) -> str:
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(compile(code, str(page), "exec"), names)
    return printed.getvalue()


def _shell(commands: str) -> str:
    """Return the standard output of commands; their standard error is not captured."""
    words = ["bash", "-euo", "pipefail", "-c", commands]
    return subprocess.run(words, check=True, stdout=subprocess.PIPE, text=True).stdout


if __name__ == "__main__":
    os.environ.setdefault("MPLBACKEND", "svg")
    run(Path(sys.argv[1]).resolve(), Path(sys.argv[2]))
