"""The models of a run, as its settings describe them: what each may learn from, and who is compared."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

from robust_eval.data import Splits
from robust_eval.errors import UsageError
from robust_eval.models.account import Account
from robust_eval.models.context import ModelContext, PromptSettings, TrainingSettings
from robust_eval.models.groups import Curves, Group, load_groups
from robust_eval.records import Progress
from robust_eval.score.comparisons import alike
from robust_eval.settings import Settings


def model_context(
    settings: Settings,
    splits: Splits,
    cache_dir: Path,
    offline: bool,
    progress: Progress,
    account: Account,
) -> ModelContext:
    """What every model of the run may need beside its name."""
    return ModelContext(
        task=splits.test.task,
        labels=splits.test.labels,
        train=splits.train,
        dev=splits.dev,
        demonstrations=splits.demonstrations,
        seed=settings.seed,
        cache_dir=cache_dir,
        # Both have the same names for the same things.
        prompt=PromptSettings(
            **{f.name: getattr(settings, f.name) for f in fields(PromptSettings)}
        ),
        training=TrainingSettings(
            epochs=settings.epochs,
            learning_rate=settings.learning_rate,
            batch_size=settings.train_batch_size,
            layer_decay=settings.layer_decay,
            class_weights=settings.class_weights,
            mixed_precision=settings.mixed_precision,
            gradient_checkpointing=settings.gradient_checkpointing,
        ),
        device=settings.device,
        dtype=settings.dtype,
        batch_size=settings.batch_size,
        max_length=settings.max_length,
        truncation=settings.truncation,
        progress=progress,
        offline=offline,
        model_version=settings.model_version,
        base_url=settings.base_url,
        endpoint=settings.endpoint,
        account=account,
    )


def model_groups(settings: Settings, context: ModelContext) -> tuple[Group, ...]:
    """What is compared: a model, or a group of seeds or draws, for each spec and size."""
    curves = Curves(settings.seeds, settings.draws, settings.train_sizes, settings.shot_counts)
    groups = load_groups(settings.models, settings.baselines, context, curves)
    cards = [group.card for group in groups]
    pairs = [(m, b) for m in cards for b in cards if (m.role, b.role) == ("model", "baseline")]
    if settings.equal_budgets and not any(alike(m, b, cards) for m, b in pairs):
        raise UsageError(
            "--equal-budgets leaves nothing to compare: no number of --shots is also a --train-size"
        )
    return groups
