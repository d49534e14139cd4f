"""Files like those of MACE's models, with nothing of torch's in them."""

from __future__ import annotations

import zipfile
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np


@dataclass
class Made:
    """An object of a class that need not exist, as a pickle describes it."""

    name: str
    arguments: tuple = ()
    state: dict = field(default_factory=dict)


class Stored(str):
    """A reference to a tensor's numbers, by the name of their file."""


def pickled(value: object) -> bytes:
    """Return the opcodes that make a value (see Python's pickletools)."""
    match value:
        case Stored():
            return pickled(("storage", "LongStorage", str(value), "cpu", 3)) + b"Q"
        case str():
            return f"V{value}\n".encode()
        case int():
            return f"I{value}\n".encode()
        case tuple():
            return b"(" + b"".join(map(pickled, value)) + b"t"
        case dict():
            return b"(" + b"".join(pickled(key) + pickled(item) for key, item in value.items()) + b"d"
        case Made():
            module, _, name = value.name.rpartition(".")
            made = f"c{module}\n{name}\n".encode() + pickled(value.arguments) + b"R"
            return made + (pickled(value.state) + b"b" if value.state else b"")
    raise TypeError(value)


def layer(*parts: tuple[int, int, int]) -> Made:
    """A layer whose features are so many irreducible representations of an angular momentum and a parity."""
    irreps = tuple(
        Made("e3nn.o3._irreps._MulIr", ((count, Made("e3nn.o3._irreps.Irrep", ((momentum, parity),))),))
        for count, momentum, parity in parts
    )
    linear = Made("e3nn.o3._linear.Linear", state={"irreps_out": Made("e3nn.o3._irreps.Irreps", (irreps,))})
    return Made("mace.modules.blocks.EquivariantProductBasisBlock", state={"_modules": {"linear": linear}})


def written(folder: Path, kind: str = "ScaleShiftMACE", cut: int = 0, **more: object) -> str:
    """Write a file of a model of a kind, with more in its state, of which some bytes at the end are cut off."""
    layers = {"1": layer((2, 1, -1), (3, 0, -1), (4, 0, 1)), "0": layer((4, 0, 1), (4, 1, -1))}
    numbers = Made("torch._utils._rebuild_tensor_v2", (Stored("7"), 1, (2,), (1,)))
    products = Made("torch.nn.modules.container.ModuleList", state={"_modules": layers})
    state = {"_buffers": {"atomic_numbers": numbers}, "_modules": {"products": products}, **more}
    path = folder / "mine.model"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("mine/data.pkl", pickled(Made(f"mace.modules.models.{kind}", state=state)) + b".")
        archive.writestr("mine/data/7", np.array([1, 29, 40], "<i8").tobytes())
    path.write_bytes(path.read_bytes()[: -cut or None])
    return str(path)
