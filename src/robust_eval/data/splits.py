"""Disjoint, seeded, class-balanced splits: what is tested never trains and never demonstrates."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from robust_eval.data.draws import balanced_order, describe_counts, label_counts
from robust_eval.data.duplicates import Collapsed, Sources, collapse
from robust_eval.data.fingerprint import fingerprint
from robust_eval.errors import DataError
from robust_eval.records import Dataset, Example, Task


@dataclass(frozen=True, slots=True)
class Splits:
    test: Dataset
    train: tuple[Example, ...]
    dev: tuple[Example, ...]  # held out of the training part, for early stopping
    demonstrations: tuple[Example, ...]  # the pool that few-shot prompts draw from
    summary: dict[str, Any] = field(default_factory=dict)  # JSON-able
    calibration: tuple[Example, ...] = ()  # that a temperature is fitted on, and nothing else


def make_splits(
    dataset: Dataset,
    train: Dataset | None,
    *,
    limit: int | None,
    train_size: int,
    pool_size: int,
    seed: int,
    dev_share: float = 0.1,
    shots: int | None = None,
    calibration_size: int = 0,
) -> Splits:
    """Test, training, held-out and demonstration examples that share no text and no source item.

    `limit` examples are drawn for the test (None: all that training leaves), `train_size` for training, of which
    `dev_share` are held out, and `pool_size` as demonstrations. Without `train`, all are carved from `dataset`: the
    test from one end of every class, the others from the other end, so that another `limit` leaves them as
    they are. Then at least half of the data stays for the test, and a smaller training part is noted.

    Draws depend on the seed and the ids alone: not on the order of the rows; a smaller `limit` is a prefix of a
    larger one. `shots` is how many demonstrations are really needed (default: the whole pool). `calibration_size` further
    examples are kept from everything else; the other parts stay as they are while there is enough.

    Raises: DataError when nothing is left to test on or to draw demonstrations from, or when labels disagree.
    """
    _check_sizes(limit, train_size, pool_size, dev_share)
    task = dataset.task
    labels = _all_labels(dataset, train)
    unique = _unique(dataset)
    order = balanced_order(unique.examples, labelled=task.has_labels, seed=seed, purpose="split")
    notes: list[str] = []
    others = train_size + pool_size + calibration_size
    test = order[: _test_size(len(order), train, limit, others, notes)]
    if train is None:
        source, unique_train, removed = dataset, unique, 0
        taken = Sources(test, same_file=True)
        candidates = [example for example in unique.examples if not taken.share(example)]
    else:
        source, unique_train = train, collapse(task, train.examples)
        candidates, removed = _unseen(unique_train, unique, dataset.examples)
    needed = pool_size if shots is None else min(shots, pool_size)
    _check_pool(source, len(candidates), needed)
    # Too few for all: the pool takes its share, lest nothing is left to train on.
    share = len(candidates) * pool_size // max(pool_size + train_size, len(candidates), 1)
    share = pool_size if len(candidates) >= pool_size + train_size else max(share, needed)
    pool, rest = _carve(task, candidates, share, seed)
    most = min(train_size, max(len(rest) - calibration_size, len(rest) // 2))
    dev, rest = _carve(task, rest, round(most * dev_share), seed)
    training, rest = _carve(task, rest, most - len(dev), seed)
    calibration, _ = _carve(task, rest, calibration_size, seed)
    if len(pool) < pool_size:
        notes.append(f"demonstration pool: {len(pool):,} of the {pool_size:,} asked for")
    if len(dev) + len(training) < train_size:
        notes.append(f"training data: {len(dev) + len(training):,} of the {train_size:,} asked for")
    if len(calibration) < calibration_size:
        notes.append(
            f"calibration part: {len(calibration):,} of the {calibration_size:,} asked for"
        )
    if train is not None:
        notes += [f"training source: {note}" for note in unique_train.note()]
        if removed:
            notes.append(f"training examples left out because the test data hold them: {removed:,}")
    drawn = _test_dataset(dataset, labels, test, unique, limit, seed, notes)
    summary = {
        "seed": seed,
        "sizes": {
            "test": len(test),
            "train": len(training),
            "dev": len(dev),
            "demonstrations": len(pool),
            **({"calibration": len(calibration)} if calibration_size else {}),
        },
        "label_counts": {
            "test": label_counts(test),
            "train": label_counts(training),
            "dev": label_counts(dev),
            "demonstrations": label_counts(pool),
        },
        "fingerprints": {
            "dataset": dataset.fingerprint,
            "training_source": source.fingerprint,
            "test": drawn.fingerprint,
            "train": fingerprint(task, labels, training),
            "dev": fingerprint(task, labels, dev),
            "demonstrations": fingerprint(task, labels, pool),
        },
        "training_source": {"name": source.name, "revision": source.revision},
        "duplicates": {
            "removed_from_test_data": unique.removed,
            "with_conflicting_labels": unique.conflicting,
            "removed_from_training_data": unique_train.removed if train is not None else 0,
            "training_examples_found_in_test_data": removed,
        },
        "notes": notes,
    }
    return Splits(drawn, tuple(training), tuple(dev), tuple(pool), summary, tuple(calibration))


def _check_sizes(limit: int | None, train_size: int, pool_size: int, dev_share: float) -> None:
    if limit is not None and limit < 1:
        raise DataError(f"--limit must be at least 1, not {limit}")
    for name, size in (("train size", train_size), ("demonstration pool", pool_size)):
        if size < 0:
            raise DataError(f"the {name} must not be negative, not {size}")
    if not 0 <= dev_share < 1:
        raise DataError(f"the held-out share must be at least 0 and under 1, not {dev_share}")


def _all_labels(dataset: Dataset, train: Dataset | None) -> tuple[str, ...]:
    if train is None:
        return dataset.labels
    if train.task.kind is not dataset.task.kind:
        raise DataError(
            f"'{train.name}' is {train.task.kind}, '{dataset.name}' is {dataset.task.kind};"
            " training and test data must be of one task (--task)"
        )
    unknown = [label for label in dataset.labels if label not in train.labels]
    if unknown:
        raise DataError(
            f"label '{unknown[0]}' of '{dataset.name}' is not in the training data '{train.name}'"
            f" ({', '.join(train.labels)}); map one to the other with --label-map"
        )
    return train.labels


def _unique(dataset: Dataset) -> Collapsed:
    unique = collapse(dataset.task, dataset.examples)
    if len(unique.examples) < 2:
        raise DataError(
            f"'{dataset.name}': all {len(dataset.examples):,} examples say the same, case, punctuation"
            " and white space aside; there is nothing to compare"
        )
    if dataset.task.has_labels and len(label_counts(unique.examples)) < 2:
        raise DataError(
            f"'{dataset.name}': without duplicates, {len(unique.examples):,} examples of one class are"
            " left; at least two classes are needed"
        )
    return unique


def _test_size(
    available: int, train: Dataset | None, limit: int | None, others: int, notes: list[str]
) -> int:
    free = available if train is not None else max(available - others, -(-available // 2))
    if limit is None or limit <= free:
        return free if limit is None else limit
    if train is None and others and free < available:
        notes.append(
            f"test: {free:,} of the {limit:,} asked for; the rest of {available:,} trains and"
            " demonstrates (give training data of their own with --train)"
        )
    else:
        notes.append(f"test: all {free:,} examples; {limit:,} were asked for")
    return free


def _unseen(
    unique: Collapsed, tested: Collapsed, test_examples: Sequence[Example]
) -> tuple[list[Example], int]:
    """Training examples that the test data do not hold: all of them, so that `limit` changes nothing here."""
    test_keys = set(tested.keys.values())
    sources = Sources(test_examples, same_file=False)
    kept = [
        example
        for example in unique.examples
        if unique.keys[example.id] not in test_keys and not sources.share(example)
    ]
    return kept, len(unique.examples) - len(kept)


def _carve(
    task: Task, candidates: list[Example], size: int, seed: int
) -> tuple[list[Example], list[Example]]:
    """`size` examples from the far end of the order, and those candidates that share no source with them."""
    order = balanced_order(
        candidates, labelled=task.has_labels, seed=seed, purpose="split", reverse=True
    )
    taken = order[:size]
    sources = Sources(taken, same_file=True)
    return taken, [example for example in order[size:] if not sources.share(example)]


def _check_pool(source: Dataset, found: int, needed: int) -> None:
    if found < needed:
        raise DataError(
            f"{needed} demonstrations asked for, but '{source.name}' has {found} left beside the test"
            " examples; lower --shots or give more training data with --train"
        )


def _test_dataset(
    dataset: Dataset,
    labels: tuple[str, ...],
    test: list[Example],
    unique: Collapsed,
    limit: int | None,
    seed: int,
    notes: list[str],
) -> Dataset:
    of = dataset.population or dataset.name
    total = len(unique.examples)
    if len(test) == total:
        population = f"{of}: all {total:,} examples"
    else:
        kind = "class-balanced draw" if dataset.task.has_labels else "draw"
        population = f"{of}: {kind} of {len(test):,} from {total:,} (seed {seed})"
    counts = label_counts(test)
    if limit is not None and counts and max(counts.values()) - min(counts.values()) > 1:
        notes.append(f"test: not balanced, classes are too small ({describe_counts(test)})")
    absent = [label for label in labels if label not in counts]
    if dataset.task.has_labels and absent:
        notes.append(f"test: no example of {', '.join(absent)}")
    return replace(
        dataset,
        labels=labels,
        examples=tuple(test),
        fingerprint=fingerprint(dataset.task, labels, test),
        population=population,
        notes=(*dataset.notes, *unique.note(), *notes),
    )
