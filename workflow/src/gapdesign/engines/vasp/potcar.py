"""The user's own POTCARs: found in a library, identified by checksum, never shipped."""

from __future__ import annotations

import gzip
import hashlib
import os
import re
import zlib
from collections.abc import Collection
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

from pydantic import Field

from gapdesign.config.options import Options
from gapdesign.errors import InputError

LARGEST = 2**26
"""Bytes in the largest POTCAR that is read; the largest that VASP ships has some two million."""


class PotcarOptions(Options):
    """The user's own POTCARs, which are copied nowhere but into the folder of a calculation."""

    library: str = Field(
        "$PMG_VASP_PSP_DIR",
        min_length=1,
        description="Folder with `Zr_sv/POTCAR`, as VASP ships them, or `POTCAR.Zr_sv.gz`, as pymatgen arranges them"
        " (there under `$PMG_VASP_PSP_DIR/POT_GGA_PAW_PBE` and the like). Environment variables are expanded.",
    )
    symbols: dict[str, str] = Field(
        {}, description="POTCAR for each element, such as `{Zr: Zr_sv}`; every element of the study needs one."
    )


class Potcar(NamedTuple):
    """One POTCAR."""

    text: str
    title: str
    sha256: str


def _content(path: Path) -> bytes:
    """Return the content of a POTCAR, unpacked in memory, so that no copy of it is left anywhere."""
    try:
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as stream:
            raw = stream.read(LARGEST + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise InputError(f"labels.vasp.potcar.symbols: {path} cannot be read ({error}); copy it again.") from error
    if len(raw) > LARGEST:
        raise InputError(
            f"labels.vasp.potcar.symbols: {path} holds more than {LARGEST >> 20} MiB, as none does; choose another."
        )
    return raw


class Potcars:
    """The POTCARs of a study.

    Parameters
    ----------
    options
        Their library and symbols.
    """

    def __init__(self, options: PotcarOptions) -> None:
        self._options = options

    @property
    def symbols(self) -> dict[str, str]:
        """Name of the POTCAR of each element."""
        return self._options.symbols

    @property
    def paths(self) -> list[Path]:
        """The file of each element.

        Raises
        ------
        InputError
            If one is missing.
        """
        return [self._find(symbol) for _, symbol in sorted(self.symbols.items())]

    @cached_property
    def all(self) -> dict[str, Potcar]:
        """The POTCAR of each element, by symbol.

        Raises
        ------
        InputError
            If one is missing or belongs to another element.
        """
        return {element: self._read(element, symbol) for element, symbol in sorted(self.symbols.items())}

    def require(self, elements: Collection[str]) -> None:
        """Check that each of ``elements`` has a POTCAR.

        Raises
        ------
        InputError
            If one is missing or belongs to another element.
        """
        for element in elements:
            if element not in self.symbols:
                raise InputError(
                    f"labels.vasp.potcar.symbols: there is no POTCAR for {element}; name one, such as"
                    f" `{{{element}: {element}}}`."
                )
        _ = self.all

    def _read(self, element: str, symbol: str) -> Potcar:
        path = self._find(symbol)
        raw = _content(path)
        text = raw.decode("utf-8", errors="replace")
        title = re.search(r"TITEL\s*=\s*(.*)", text)
        species = re.search(r"VRHFIN\s*=\s*([A-Za-z]+)", text)
        if title is None or species is None or species.group(1) != element:
            raise InputError(f"labels.vasp.potcar.symbols: {path} is not a POTCAR of {element}; choose one that is.")
        return Potcar(text, " ".join(title.group(1).split()), hashlib.sha256(raw).hexdigest())

    def _find(self, symbol: str) -> Path:
        given = self._options.library
        library = Path(os.path.expandvars(given)).expanduser()
        if "$" in str(library) or not library.is_dir():
            raise InputError(
                f"labels.vasp.potcar.library: {given} is not a folder; give the one that holds your POTCARs, or set the"
                " environment variable."
            )
        names = (f"{symbol}/POTCAR", f"{symbol}/POTCAR.gz", f"POTCAR.{symbol}.gz", f"POTCAR.{symbol}")
        for name in names:
            if (library / name).is_file():
                return library / name
        raise InputError(
            f"labels.vasp.potcar.symbols: {library} has no POTCAR named {symbol} (none of {', '.join(names)});"
            " choose one that it has, or another library."
        )
