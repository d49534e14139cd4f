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
import textwrap
from pathlib import Path
from typing import NamedTuple

FENCE = re.compile(
    r'^(?P<indent> *)```(?P<language>\w*)(?: title="(?P<title>[^"]+)")?\n(?P<content>.*?)^(?P=indent)```$'
    r"(?:\n+(?P=indent)```text\n(?P<printed>.*?)^(?P=indent)```$)?",
    re.DOTALL | re.MULTILINE,
)


class Block(NamedTuple):
    """A block of a page: where it begins, what it is, and the text that follows it, which is what it prints."""

    line: int
    language: str
    title: str
    content: str
    printed: str


def blocks(text: str) -> list[Block]:
    """All blocks of a page, in order."""
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
    """What commands print; what they say beside that goes where it always does."""
    words = ["bash", "-euo", "pipefail", "-c", commands]
    return subprocess.run(words, check=True, stdout=subprocess.PIPE, text=True).stdout


if __name__ == "__main__":
    os.environ.setdefault("MPLBACKEND", "svg")
    run(Path(sys.argv[1]).resolve(), Path(sys.argv[2]))
