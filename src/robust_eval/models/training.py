"""The training loop: AdamW, linear warm-up and decay, batches of like length, the best epoch kept.

It can be killed at any step: what is drawn is keyed by seed, epoch and step, so a resumed training gives the
bytes of an uninterrupted one.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import Any, Final

import torch

from robust_eval.errors import ModelError
from robust_eval.models.context import TrainingSettings
from robust_eval.models.learners import Learner, parameter_groups
from robust_eval.models.training_state import TrainingState
from robust_eval.records import Progress
from robust_eval.rng import digest, shuffle, stream

POOL: Final = 16  # batches whose items are sorted by length together: less padding, still shuffled
CLIP: Final = 1.0  # norm of the gradient, as in Devlin et al. 2019
SAVE_EVERY: Final = 60.0  # seconds, at least
SAVING_COSTS: Final = 20.0  # and this many times what saving takes: at most 5% of the time


@dataclass(frozen=True, slots=True)
class Evaluation:
    """One look at the held-out part."""

    epoch: int
    train_loss: float
    score: float | None
    loss: float | None

    def better_than(self, other: Evaluation | None) -> bool:
        """Higher score, then lower loss; without a held-out part the later one."""
        if other is None or self.score is None or other.score is None:
            return True
        return (self.score, -(self.loss or 0.0)) > (other.score, -(other.loss or 0.0))


@dataclass(slots=True)
class Memory:
    """How a batch is computed: whole, then with checkpointed activations, then in ever smaller parts."""

    checkpointing: bool = False
    parts: int = 1

    def spare(self, network: Any, batch: int) -> bool:
        """Takes the next measure after memory ran out; False when none is left."""
        if not self.checkpointing:
            # transformers 5 has a new name for it.
            for name in ("activation_checkpointing_enable", "gradient_checkpointing_enable"):
                if enable := getattr(network, name, None):
                    # The reentrant kind, 4.57's default, loses the gradients above frozen weights.
                    enable({"use_reentrant": False})
                    self.checkpointing = True
                    return True
        self.parts *= 2
        return self.parts <= batch


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """torch's own generator, which draws new weights and dropout, seeded for the while, then as it was."""
    cuda = list(range(torch.cuda.device_count())) if torch.cuda.is_available() else []
    with torch.random.fork_rng(devices=cuda):
        torch.manual_seed(_torch_seed("fine-tuning", seed))
        yield


def train(
    learner: Learner,
    settings: TrainingSettings,
    seed: int,
    state: TrainingState,
    what: str,
    progress: Progress,
) -> dict[str, Any]:
    """Trains, leaves the best epoch's weights in the network, and gives the result.

    `state` is where a killed training of the same key left off. Call it within `seeded`.
    """
    assert settings.epochs is not None
    assert settings.batch_size is not None
    assert settings.learning_rate is not None
    assert settings.layer_decay is not None
    network, lengths = learner.network, learner.lengths
    steps = settings.epochs * math.ceil(len(lengths) / settings.batch_size)
    optimiser = torch.optim.AdamW(
        parameter_groups(
            network, settings.learning_rate, settings.layer_decay, settings.weight_decay
        ),
        fused=_fuses(learner.device),  # a fifth of the time of the plain one, on a CPU too
    )
    schedule = _schedule(optimiser, settings, steps)
    memory = Memory()
    if settings.gradient_checkpointing == "on":
        memory.spare(network, 1)
    history: list[Evaluation] = []
    best: Evaluation | None = None
    kept: dict[str, torch.Tensor] = {}
    begin, done, total = 1, 0, 0.0
    if found := state.read(network, optimiser, schedule):
        begin, done, total = found.epoch, found.step, found.loss
        history = [Evaluation(**values) for values in found.history]
        best = next((e for e in history if e.epoch == found.best), None)
        kept = found.kept
    saved, cost = time.monotonic(), 0.0
    with progress(what, steps) as advance:
        advance((begin - 1) * math.ceil(len(lengths) / settings.batch_size) + done)
        for epoch in range(begin, settings.epochs + 1):
            if best and epoch - 1 - best.epoch >= settings.patience:
                break
            order = epoch_batches(lengths, settings.batch_size, seed, epoch)
            network.train()
            for step, batch in enumerate(order):
                if step < done:
                    continue
                torch.manual_seed(_torch_seed("dropout", seed, epoch, step))
                total += _step(learner, batch, settings, memory) * len(batch)
                torch.nn.utils.clip_grad_norm_(network.parameters(), CLIP)
                optimiser.step()
                schedule.step()
                optimiser.zero_grad(set_to_none=True)
                advance(1)
                if time.monotonic() - saved > max(SAVE_EVERY, SAVING_COSTS * cost):
                    before = time.monotonic()
                    looks = [asdict(e) for e in history]
                    at = best.epoch if best else 0
                    state.write(
                        network, optimiser, schedule, epoch, step + 1, total, looks, at, kept
                    )
                    saved = time.monotonic()
                    cost = saved - before
            network.eval()
            seen = _looked(learner, epoch, total / len(lengths))
            done, total = 0, 0.0
            history.append(seen)
            if seen.better_than(best):
                best = seen
                kept = _kept(network, kept)
    assert best is not None
    network.load_state_dict(kept, strict=False)
    return {
        "epochs_run": len(history),
        "best_epoch": best.epoch,
        "dev_score": best.score,
        "dev_loss": best.loss,
        "train_items": len(lengths),
        "train_truncated": learner.truncated,
        "parameters": sum(p.numel() for p in network.parameters()),
        "parameters_trained": sum(p.numel() for p in network.parameters() if p.requires_grad),
        "updates": len(history) * math.ceil(len(lengths) / settings.batch_size),
        "gradient_checkpointing": memory.checkpointing,
        "parts_of_a_batch": memory.parts,
        "history": [asdict(evaluation) for evaluation in history],
    }


def trained_weights(network: Any) -> dict[str, torch.Tensor]:
    """Copies of the weights that training changes, by name; buffers do not change here."""
    return {n: p.detach().clone() for n, p in network.named_parameters() if p.requires_grad}


def _kept(network: Any, before: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """The weights as they are, in the memory of those kept before."""
    if not before:
        return trained_weights(network)
    with torch.no_grad():
        for name, parameter in network.named_parameters():
            if parameter.requires_grad:
                before[name].copy_(parameter)
    return before


def _fuses(device: str) -> bool:
    """Whether AdamW can take its step in one pass over the weights there."""
    return device.partition(":")[0] in ("cpu", "cuda")


def epoch_batches(
    lengths: Sequence[int], batch_size: int, seed: int, epoch: int
) -> list[list[int]]:
    """Every index once, in batches of like length; which and in what order is keyed by the epoch."""
    rng = stream(seed, "fine-tuning order", epoch)
    order = list(range(len(lengths)))
    shuffle(rng, order)
    batches: list[list[int]] = []
    for start in range(0, len(order), POOL * batch_size):
        pool = sorted(order[start : start + POOL * batch_size], key=lambda i: lengths[i])
        batches += [pool[i : i + batch_size] for i in range(0, len(pool), batch_size)]
    shuffle(rng, batches)
    return batches


def _torch_seed(*key: str | int) -> int:
    return int.from_bytes(digest(*key, size=7), "big")


def _schedule(optimiser: Any, settings: TrainingSettings, steps: int) -> Any:
    """A linear rise and fall of every group's learning rate."""
    warmup = max(1, round(settings.warmup_share * steps))

    def factor(step: int) -> float:
        if step < warmup:
            return (step + 1) / warmup
        return max(0.0, (steps - step) / max(1, steps - warmup))

    return torch.optim.lr_scheduler.LambdaLR(optimiser, factor)


def _step(
    learner: Learner, batch: Sequence[int], settings: TrainingSettings, memory: Memory
) -> float:
    """The batch's loss, its gradients left in the network. Raises ModelError when it diverges."""
    while True:
        try:
            return _gradients(learner, batch, settings, memory.parts)
        except torch.OutOfMemoryError:
            for parameter in learner.network.parameters():
                parameter.grad = None
            if settings.gradient_checkpointing == "off" or not memory.spare(
                learner.network, len(batch)
            ):
                raise ModelError(
                    "memory ran out in fine-tuning, also with one example at a time; lower "
                    "--max-length, take a smaller model, or --device cpu"
                    if memory.parts > 1
                    else "memory ran out in fine-tuning; lower --train-batch-size, or allow "
                    "--gradient-checkpointing auto"
                ) from None
            if torch.cuda.is_available():
                torch.cuda.empty_cache()


def _gradients(
    learner: Learner, batch: Sequence[int], settings: TrainingSettings, parts: int
) -> float:
    size = math.ceil(len(batch) / parts)
    total = 0.0
    for start in range(0, len(batch), size):
        part = batch[start : start + size]
        with _mixed(learner.device, settings):
            loss = learner.loss(part)
        value = float(loss.detach())
        if not math.isfinite(value):
            raise ModelError(
                f"fine-tuning diverged (loss {value}); lower --learning-rate, or give other weights"
            )
        (loss * (len(part) / len(batch))).backward()  # type: ignore[no-untyped-call]
        total += value * len(part)
    return total / len(batch)


def _mixed(device: str, settings: TrainingSettings) -> Any:
    """bfloat16 arithmetic over float32 weights where asked, by default on GPUs that have it.

    Not float16: it would need scaled losses, and every GPU that gains from it today has bfloat16.
    """
    kind = device.partition(":")[0]
    able = kind == "cuda" and torch.cuda.is_bf16_supported()
    mixed = settings.mixed_precision == "on" or (settings.mixed_precision == "auto" and able)
    return torch.autocast(kind, torch.bfloat16, enabled=mixed)


def _looked(learner: Learner, epoch: int, train_loss: float) -> Evaluation:
    seen = learner.held_out()
    if seen is None:
        return Evaluation(epoch, train_loss, None, None)
    return Evaluation(epoch, train_loss, seen.score, seen.loss)
