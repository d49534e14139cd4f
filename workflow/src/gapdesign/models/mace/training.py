"""The program that trains: run by its path in a process of its own, so that two runs write the same bytes.

    python -P training.py FOLDER

It uses MACE's own data, models, losses, optimiser, steps and evaluation, but not ``mace_run_train``, which in version
0.3.16 goes on after its patience has ended, and leaves out the last, smaller batch of every epoch. ``FOLDER`` holds
``settings.json`` and ``frames.npz``; ``mace.model`` is written into it, the model of the epoch with the smallest
validation loss. Every line of the output is a JSON object: what was read, then each epoch, with the CPU seconds so far;
or a mistake and nothing more.
"""

from __future__ import annotations

import json
import math
import sys
import time
import warnings
from copy import deepcopy
from pathlib import Path
from typing import Any

import numpy as np

DECAY = 0.05
"""The learning rate at the last epoch, relative to the first."""


class Losses:
    """Receives the loss of each step, as MACE's loggers do."""

    def __init__(self) -> None:
        self.values: list[float] = []

    def log(self, step: dict[str, Any]) -> None:
        """Keep the loss of a step."""
        self.values.append(float(step["loss"]))


def say(**values: Any) -> None:
    """Print a line for the process that runs this program."""
    print(json.dumps(values), flush=True)


def arguments(settings: dict[str, Any]) -> Any:
    """Return MACE's arguments: what the settings say, and its defaults."""
    from mace import tools

    weights = settings["weights"]
    given = {
        "name": "mace",
        "train_file": "frames.npz",
        "seed": settings["seed"],
        "loss": "virials" if settings["virials"] else "weighted",
        "energy_weight": weights["energies"],
        "forces_weight": weights["forces"],
        "virials_weight": weights["virials"],
        "lr": settings["learning_rate"],
        "scheduler": "ExponentialLR",
        "lr_scheduler_gamma": DECAY ** (1 / settings["epochs"]),
    }
    if settings["start"] is None:
        given |= {
            "num_channels": settings["channels"],
            "max_L": settings["max_L"],
            "num_interactions": settings["layers"],
            "r_max": settings["r_cut"],
            "avg_num_neighbors": settings["neighbours"],
        }
    found, _ = tools.check_args(
        tools.build_default_arg_parser().parse_args([f"--{key}={value}" for key, value in given.items()])
    )
    found.mean, found.std = [0.0], [settings["scale"]]
    found.compute_energy, found.compute_dipole, found.compute_polarizability = True, False, False
    return found


def configurations(path: Path) -> list[Any]:
    """Return labelled structures in MACE's form."""
    from mace.data import Configuration

    found = []
    with np.load(path) as arrays:
        stops = np.cumsum(arrays["sizes"])
        for k, (start, stop) in enumerate(zip(stops - arrays["sizes"], stops, strict=True)):
            labels = {
                "energy": arrays["energies"][k],
                "forces": arrays["forces"][start:stop],
                "virials": arrays["virials"][k],
            }
            weights = {"energy": 1.0, "forces": 1.0, "virials": float(arrays["has_virial"][k])}
            found.append(
                Configuration(
                    atomic_numbers=arrays["numbers"][start:stop],
                    positions=arrays["positions"][start:stop],
                    properties=labels,
                    property_weights=weights,
                    cell=arrays["cells"][k],
                    pbc=tuple(arrays["pbc"][k].tolist()),
                )
            )
    return found


def initial(settings: dict[str, Any], given: Any) -> tuple[Any, list[int]]:
    """Return the model before training, from scratch or from a file, and the elements that it knows."""
    import torch
    from mace.tools import AtomicNumberTable
    from mace.tools.model_script_utils import configure_model

    elements, energies = settings["elements"], settings["isolated"]
    if settings["start"] is None:
        table = AtomicNumberTable(elements)
        model, _ = configure_model(given, None, np.array([energies]), None, ["Default"], table, None)
        return model, elements
    model = torch.load(settings["start"], map_location="cpu", weights_only=False).to(torch.get_default_dtype())
    known = model.atomic_numbers.tolist()
    for z, energy in zip(elements, energies, strict=True):
        model.atomic_energies_fn.atomic_energies[..., known.index(z)] = energy
    for parameter in model.parameters():
        parameter.requires_grad = True
    return model, known


def milli(errors: dict[str, Any], name: str) -> float | None:
    """Return a thousand times one of MACE's errors; None if there is none."""
    return 1000 * float(errors[name]) if name in errors else None


def train(settings: dict[str, Any], folder: Path) -> None:
    """Train until the epochs or the patience end, and save the model of the epoch with the smallest validation loss."""
    import torch
    from mace import data, tools
    from mace.tools import torch_geometric
    from mace.tools.scripts_utils import LRScheduler, get_loss_fn, get_optimizer, get_params_options
    from mace.tools.train import evaluate, train_one_epoch
    from torch_ema import ExponentialMovingAverage

    if settings["device"] == "cuda" and not torch.cuda.is_available():
        say(mistake="device")
        return
    torch.set_num_threads(1)
    # On a GPU some operations have no deterministic form.
    torch.use_deterministic_algorithms(True, warn_only=settings["device"] == "cuda")
    tools.set_default_dtype(settings["dtype"])
    tools.set_seeds(settings["seed"])
    device = torch.device(settings["device"])
    given = arguments(settings)
    model, known = initial(settings, given)
    table, cutoff, kept_back = tools.AtomicNumberTable(known), float(model.r_max), set(settings["validation"])
    frames = [data.AtomicData.from_config(each, table, cutoff) for each in configurations(folder / "frames.npz")]
    say(
        energies=int(sum(frame.energy_weight for frame in frames)),
        forces=sum(frame.forces.numel() for frame in frames),
        virials=6 * int(sum(frame.virials_weight for frame in frames)),
        edges=sum(frame.edge_index.shape[1] for frame in frames),
        parameters=sum(parameter.numel() for parameter in model.parameters()),
    )
    order = torch.Generator().manual_seed(settings["seed"])
    training, validation = (
        torch_geometric.dataloader.DataLoader(
            [frame for k, frame in enumerate(frames) if (k in kept_back) == is_validation],
            batch_size=settings["batch_size"],
            shuffle=not is_validation,
            generator=order,
        )
        for is_validation in (False, True)
    )
    model.to(device)
    loss = get_loss_fn(given, False, False)
    outputs = {"energy": True, "forces": True, "virials": settings["virials"], "stress": False}
    optimizer = get_optimizer(given, get_params_options(given, model))
    schedule = LRScheduler(optimizer, given)
    average = ExponentialMovingAverage(model.parameters(), decay=given.ema_decay)
    best, kept, weights = math.inf, 0, None
    for epoch in range(settings["epochs"] + 1):
        steps = Losses()
        if epoch:
            train_one_epoch(
                model, loss, training, optimizer, epoch, outputs, given.clip_grad, average, steps, device, False
            )
            schedule.step()
        with average.average_parameters():
            mean, errors = evaluate(model, loss, validation, outputs, device)
            # MACE divides a sum over batches by the number of structures.
            mean *= len(validation.dataset) / len(validation)
            if mean < best:
                best, kept, weights = mean, epoch, deepcopy(model.state_dict())
        say(
            seconds=time.process_time(),
            epoch=epoch,
            training_loss=float(np.mean(steps.values)) if steps.values else None,
            validation_loss=mean,
            energy_mev=milli(errors, "rmse_e_per_atom"),
            forces_mev=milli(errors, "rmse_f"),
            virials_mev=milli(errors, "rmse_virials_per_atom"),
        )
        if not math.isfinite(mean):
            say(mistake="diverged", epoch=epoch)
            return
        if epoch - kept >= settings["patience"]:
            break
    model.load_state_dict(weights)
    torch.save(model.to("cpu"), folder / "mace.model")


if __name__ == "__main__":
    warnings.simplefilter("ignore")  # of e3nn and torch, about each other
    train(json.loads(Path(sys.argv[1], "settings.json").read_text(encoding="utf-8")), Path(sys.argv[1]))
