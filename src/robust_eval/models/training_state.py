"""Where a training stands, so that a killed one goes on: weights, moments and the epoch's place."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

STATE = "state.safetensors"
MOMENTS = ("exp_avg", "exp_avg_sq")


@dataclass(frozen=True, slots=True)
class Found:
    epoch: int
    step: int  # batches of that epoch that are done
    loss: float  # summed over its examples so far
    history: list[dict[str, Any]]
    best: int  # epoch; 0 for none yet
    kept: dict[str, torch.Tensor]


@dataclass(frozen=True, slots=True)
class TrainingState:
    """One file in a folder of its own, written whole or not at all; a file that does not fit is ignored."""

    folder: Path

    def write(
        self,
        network: Any,
        optimiser: Any,
        schedule: Any,
        epoch: int,
        step: int,
        loss: float,
        history: Sequence[Mapping[str, Any]],
        best: int,
        kept: Mapping[str, torch.Tensor],
    ) -> None:
        """Keeps everything that the next step depends on."""
        tensors = {f"kept {name}": tensor for name, tensor in kept.items()}
        for name, parameter in _trained(network):
            tensors[f"weight {name}"] = parameter.detach()
            # A weight that no output depends on never gets a gradient, nor moments.
            for moment in MOMENTS if parameter in optimiser.state else ():
                tensors[f"{moment} {name}"] = optimiser.state[parameter][moment]
        place = {
            "epoch": epoch,
            "step": step,
            "loss": loss,
            "history": list(history),
            "best": best,
            "updates": schedule.last_epoch,
        }
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        partial = self.folder / f"{STATE}.{os.getpid()}"
        save_file(tensors, partial, metadata={"place": json.dumps(place)})
        os.replace(partial, self.folder / STATE)

    def read(self, network: Any, optimiser: Any, schedule: Any) -> Found | None:
        """Puts network, optimiser and schedule where they stood; None when there is nothing sound."""
        try:
            with safe_open(self.folder / STATE, "pt") as file:
                place = json.loads((file.metadata() or {})["place"])
                tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
            trained = _trained(network)
            moved = [(name, p) for name, p in trained if f"{MOMENTS[0]} {name}" in tensors]
            wanted = [(f"weight {name}", p) for name, p in trained]
            wanted += [(f"{moment} {name}", p) for name, p in moved for moment in MOMENTS]
            if any(tensors[key].shape != p.shape for key, p in wanted):
                return None
            found = Found(
                int(place["epoch"]),
                int(place["step"]),
                float(place["loss"]),
                list(place["history"]),
                int(place["best"]),
                {n.removeprefix("kept "): t for n, t in tensors.items() if n.startswith("kept ")},
            )
            updates = int(place["updates"])
        except (OSError, SafetensorError, KeyError, ValueError, TypeError):
            return None
        fused = bool(optimiser.defaults.get("fused"))
        with torch.no_grad():
            for name, parameter in trained:
                parameter.copy_(tensors[f"weight {name}"])
            for name, parameter in moved:
                optimiser.state[parameter] = {
                    # A fused step counts where the weights are.
                    "step": torch.tensor(
                        float(updates), device=parameter.device if fused else "cpu"
                    ),
                    **{m: tensors[f"{m} {name}"].to(parameter.device) for m in MOMENTS},
                }
        schedule.last_epoch = updates
        for group, base, factor in zip(
            optimiser.param_groups, schedule.base_lrs, schedule.lr_lambdas, strict=True
        ):
            group["lr"] = base * factor(updates)
        return found

    def remove(self) -> None:
        """Once there is a checkpoint, there is nothing to go on with."""
        shutil.rmtree(self.folder, ignore_errors=True)


def _trained(network: Any) -> list[tuple[str, Any]]:
    return [(name, p) for name, p in network.named_parameters() if p.requires_grad]
