"""Learning curves: what each way of using examples scores with few and with many of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from robust_eval.records import CLEAN, Estimate, Gap, ModelCard, RunRecord
from robust_eval.report import numbers as n
from robust_eval.report.cautions import name, primary
from robust_eval.report.charts import Curve, Legend, Point, learning_curves, legend_mark
from robust_eval.report.charts.drawing import COLOURS
from robust_eval.report.text import markdown_table, markdown_text
from robust_eval.report.views import majority

MOST_CHARTS = 8


@dataclass(frozen=True, slots=True)
class Arm:
    """One way of using one number of examples; scores as text, in the order of the view's columns."""

    way: str
    budget: str
    members: str  # "3 seeds", "one draw"
    scores: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Budgets:
    columns: tuple[str, ...]  # "clean", then the shifted sets
    arms: tuple[Arm, ...]
    legend: tuple[Legend, ...]
    charts: tuple[tuple[str, str], ...]  # (column, SVG)
    conditions: tuple[str, ...]  # what is alike between the arms and what is not


def budgets_view(record: RunRecord) -> Budgets | None:
    """None unless some model was taken with several numbers of examples."""
    cards = [card for card in record.models if isinstance(card.details.get("budget"), int)]
    specs = [card.spec for card in cards]
    if not any(specs.count(spec) > 1 for spec in specs):
        return None
    ways = list(dict.fromkeys(card.spec for card in cards))
    cards.sort(key=lambda card: (ways.index(card.spec), card.details["budget"]))
    gaps = {(g.model, g.set_key): g for g in record.gaps if g.metric == primary(record)}
    keys = [s.key for s in record.sets if any((card.name, s.key) in gaps for card in cards)]
    columns = (CLEAN, *keys)
    scores = {(c.name, k): e for c in cards for k in columns if (e := _score(gaps, c.name, k))}
    return Budgets(
        tuple(map(name, columns)),
        tuple(
            Arm(
                way_of(card),
                _budget(card),
                _members(card),
                tuple(_said(scores.get((card.name, key))) for key in columns),
            )
            for card in cards
        ),
        tuple(
            Legend(
                way_of(next(card for card in cards if card.spec == spec)),
                legend_mark(i),
                i % COLOURS,
            )
            for i, spec in enumerate(ways)
        ),
        tuple(
            (name(key), _chart(record, cards, ways, scores, key, at))
            for at, key in enumerate(columns[:MOST_CHARTS])
        ),
        tuple(_conditions(record, cards)),
    )


def budgets_markdown(record: RunRecord) -> list[str]:
    """The table of scores, and under which conditions they were got."""
    view = budgets_view(record)
    if view is None:
        return []
    table = markdown_table(
        ("How", "Examples", "Of", *view.columns),
        (
            (markdown_text(arm.way), arm.budget, markdown_text(arm.members), *arm.scores)
            for arm in view.arms
        ),
        numbers_from=3,
    )
    return [table, "\n".join(f"- {markdown_text(line)}" for line in view.conditions)]


def way_of(card: ModelCard) -> str:
    """`demo:gemma-3-270m, prompted`; `demo:gemma-3-270m, LoRA`; an encoder by its name."""
    method = card.details.get("method")
    if isinstance(method, str):
        return f"{name(card.spec.partition(':')[2])}, {method}"
    return f"{name(card.spec)}, prompted" if card.kind == "prompted" else name(card.spec)


def _budget(card: ModelCard) -> str:
    count = n.count(card.details["budget"])
    return f"{count} (all)" if card.details.get("budget_is_all") else count


def _members(card: ModelCard) -> str:
    what = "draw" if card.kind == "prompted" else "seed"
    if card.members:
        return n.counted(len(card.members), what)
    return "one prompt" if not card.details["budget"] else f"one {what}"


def _score(gaps: Mapping[tuple[str, str], Gap], model: str, key: str) -> Estimate | None:
    if key != CLEAN:
        gap = gaps.get((model, key))
        return gap.shifted if gap else None
    # Of unpaired sets the clean score is that of the whole set; of paired ones failures are left out.
    own = [gap for (name_, _), gap in gaps.items() if name_ == model]
    return max((gap.clean for gap in own), key=lambda e: e.n, default=None)


def _said(estimate: Estimate | None) -> str:
    return "–" if estimate is None else n.with_bounds(estimate)


def _chart(
    record: RunRecord,
    cards: Sequence[ModelCard],
    ways: Sequence[str],
    scores: Mapping[tuple[str, str], Estimate],
    key: str,
    at: int,
) -> str:
    steps = sorted({card.details["budget"] for card in cards})
    every = {card.details["budget"] for card in cards if card.details.get("budget_is_all")}
    curves = []
    for i, spec in enumerate(ways):
        points = [
            Point(
                steps.index(card.details["budget"]),
                None,
                estimate,
                f"{way_of(card)}, {_budget(card)} examples, {name(key)}: {n.with_bounds(estimate)}%",
            )
            for card in cards
            if card.spec == spec and (estimate := scores.get((card.name, key)))
        ]
        if points:
            curves.append(Curve(i, tuple(points)))
    return learning_curves(
        curves,
        [f"{step:,}, all" if step in every else f"{step:,}" for step in steps],
        ident=f"b{at}",
        title=f"Score by number of examples: {name(key)}",
        description="Score of each way of using examples, by their number, with intervals. The table has the same "
        "figures.",
        floor=majority(record) if primary(record) == "accuracy" else None,
    )


def _conditions(record: RunRecord, cards: Sequence[ModelCard]) -> list[str]:
    """What is alike between the arms, read from their cards; no sentence for what is not there."""
    found = []
    weights = {card.details.get("weights_sha256") for card in cards}
    if len(weights) == 1 and isinstance(sha := next(iter(weights)), str):
        found.append(
            f"Every arm starts from the same weights (SHA-256 {sha[:12]}…, {n.weights(cards[0].parameters)})."
        )
    prompts = {(card.details.get("template"), card.details.get("scoring")) for card in cards}
    if len(prompts) == 1 and isinstance((template := next(iter(prompts))[0]), str):
        found.append(
            f"Every arm is asked with the template {name(template)}, and its labels are scored alike: "
            "what is trained is the score that prompting reads, of the prompt without demonstrations."
        )
    if record.settings.get("equal_budgets"):
        found.append(
            "Compared are equal budgets: k demonstrations with k training examples, and the most "
            "demonstrations with all training examples."
        )
    tuned = [card for card in cards if card.kind == "fine-tuned"]
    if any(isinstance(c.details.get("training"), dict) or c.members for c in tuned):
        found.append(
            "A budget holds everything that an arm learns from: where fine-tuning stops early, the part that "
            "tells it when to stop is taken from the budget."
        )
    settings = {
        repr(record.settings.get(key)) for key in ("epochs", "learning_rate", "train_batch_size")
    }
    if tuned and settings == {repr(None)}:
        found.append(
            "Learning rate, epochs and batch size are the program's defaults by method and number of "
            "examples; nothing was searched, for the prompt neither."
        )
    if tuned and (given := _given(record.settings)):
        found.append(f"Given by hand for fine-tuning: {n.listed(given)}.")
    return found


def _given(settings: Mapping[str, Any]) -> list[str]:
    """What of fine-tuning was chosen by the options, beside rate, epochs and batch size; 0.95 was the default once."""
    decay, precision = settings.get("layer_decay"), settings.get("mixed_precision")
    return [
        *([f"layer decay {decay:g}"] if isinstance(decay, float) and decay != 0.95 else []),
        *([f"mixed precision {precision}"] if precision in ("on", "off") else []),
    ]
