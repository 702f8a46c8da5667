"""The training loop: AdamW, linear warm-up and decay, batches of like length, the best epoch kept."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Final

import torch

from robust_eval.errors import ModelError
from robust_eval.models.classifier import Classifier, Tokens, quiet
from robust_eval.models.context import ModelContext, TrainingSettings
from robust_eval.models.weights import EncoderFiles
from robust_eval.records import Progress
from robust_eval.rng import digest, shuffle, stream

POOL: Final = 16  # batches whose texts are sorted by length together: less padding, still shuffled
CLIP: Final = 1.0  # norm of the gradient, as in Devlin et al. 2019
EVALUATION_BATCH: Final = 64


@dataclass(frozen=True, slots=True)
class Evaluation:
    """One look at the held-out part."""

    epoch: int
    train_loss: float
    accuracy: float | None
    loss: float | None

    def better_than(self, other: Evaluation | None) -> bool:
        """Higher accuracy, then lower loss; without a held-out part the later one."""
        if other is None or self.accuracy is None or other.accuracy is None:
            return True
        return (self.accuracy, -(self.loss or 0.0)) > (other.accuracy, -(other.loss or 0.0))


def train(
    files: EncoderFiles, context: ModelContext, device: str, folder: Path, progress: Progress
) -> dict[str, Any]:
    """Trains, saves the best epoch's classifier in the folder, and gives the result."""
    settings = context.training
    # torch's own generator draws new weights and dropout: seeded for the while, then as it was.
    cuda = list(range(torch.cuda.device_count())) if torch.cuda.is_available() else []
    with torch.random.fork_rng(devices=cuda):
        torch.manual_seed(int.from_bytes(digest("fine-tuning", context.seed, size=7), "big"))
        classifier = Classifier.fresh(files.folder, device, context.labels)
        tokens = classifier.tokenise(context.train, context.task, context.max_length)
        targets = [context.labels.index(str(example.target)) for example in context.train]
        steps = settings.epochs * math.ceil(len(targets) / settings.batch_size)
        optimiser, schedule = _optimiser(classifier.network, settings, steps)
        history: list[Evaluation] = []
        best: Evaluation | None = None
        kept: dict[str, Any] = {}
        what = f"fine-tuning {files.folder.name if files.source == 'folder' else files.source}"
        with progress(what, steps) as advance:
            for epoch in range(1, settings.epochs + 1):
                order = epoch_batches(
                    [len(i["input_ids"]) for i in tokens.inputs],
                    settings.batch_size,
                    context.seed,
                    epoch,
                )
                loss = _epoch(classifier, tokens, targets, order, optimiser, schedule, advance)
                seen = _evaluated(classifier, context, epoch, loss)
                history.append(seen)
                if seen.better_than(best):
                    best = seen
                    state = classifier.network.state_dict()
                    kept = {name: tensor.detach().clone() for name, tensor in state.items()}
                elif epoch - (best.epoch if best else 0) >= settings.patience:
                    break
        assert best is not None
        classifier.network.load_state_dict(kept)
        _save(classifier, folder)
    return {
        "epochs_run": len(history),
        "best_epoch": best.epoch,
        "dev_accuracy": best.accuracy,
        "dev_loss": best.loss,
        "train_examples": len(context.train),
        "dev_examples": len(context.dev),
        "train_truncated": sum(tokens.truncated),
        "parameters": sum(p.numel() for p in classifier.network.parameters()),
        "history": [asdict(evaluation) for evaluation in history],
    }


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


def _optimiser(network: Any, settings: TrainingSettings, steps: int) -> tuple[Any, Any]:
    """AdamW with a linear rise and fall; biases and norms do not decay, as in Devlin et al. 2019."""
    decay = [p for p in network.parameters() if p.requires_grad and p.ndim > 1]
    rest = [p for p in network.parameters() if p.requires_grad and p.ndim <= 1]
    optimiser = torch.optim.AdamW(
        [
            {"params": decay, "weight_decay": settings.weight_decay},
            {"params": rest, "weight_decay": 0.0},
        ],
        lr=settings.learning_rate,
    )
    warmup = max(1, round(settings.warmup_share * steps))

    def factor(step: int) -> float:
        if step < warmup:
            return (step + 1) / warmup
        return max(0.0, (steps - step) / max(1, steps - warmup))

    return optimiser, torch.optim.lr_scheduler.LambdaLR(optimiser, factor)


def _epoch(
    classifier: Classifier,
    tokens: Tokens,
    targets: Sequence[int],
    order: Sequence[Sequence[int]],
    optimiser: Any,
    schedule: Any,
    advance: Callable[[int], None],
) -> float:
    """One pass over the batches; the mean training loss. Raises ModelError when it diverges."""
    network = classifier.network
    network.train()
    total = 0.0
    for batch in order:
        wanted = torch.tensor([targets[i] for i in batch], device=classifier.device)
        logits = network(**classifier.padded([tokens.inputs[i] for i in batch])).logits
        loss = torch.nn.functional.cross_entropy(logits, wanted)
        value = float(loss.detach())
        if not math.isfinite(value):
            raise ModelError(
                f"fine-tuning diverged (loss {value}); lower --learning-rate, or give other weights"
            )
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(network.parameters(), CLIP)
        optimiser.step()
        schedule.step()
        optimiser.zero_grad(set_to_none=True)
        total += value * len(batch)
        advance(1)
    network.eval()
    return total / len(targets)


def _evaluated(
    classifier: Classifier, context: ModelContext, epoch: int, train_loss: float
) -> Evaluation:
    if not context.dev:
        return Evaluation(epoch, train_loss, None, None)
    dev = classifier.tokenise(context.dev, context.task, context.max_length)
    order = sorted(range(len(context.dev)), key=lambda i: (len(dev.inputs[i]["input_ids"]), i))
    right, loss = 0, 0.0
    for start in range(0, len(order), EVALUATION_BATCH):
        part = order[start : start + EVALUATION_BATCH]
        tokens = replace(dev, inputs=tuple(dev.inputs[i] for i in part))
        for i, row in zip(part, classifier.log_probabilities(tokens), strict=True):
            target = context.labels.index(str(context.dev[i].target))
            right += max(range(len(row)), key=row.__getitem__) == target
            loss -= row[target]
    return Evaluation(epoch, train_loss, right / len(order), loss / len(order))


def _save(classifier: Classifier, folder: Path) -> None:
    with quiet():
        # One file, so that one hash names the weights.
        classifier.network.save_pretrained(folder, max_shard_size="100GB")
        classifier.tokenizer.save_pretrained(folder)
