"""What a reader is to beware of: warnings about this run, and limits of what it can show."""

from __future__ import annotations

from collections import Counter

from robust_eval.records import CLEAN, Estimate, ModelCard, RunRecord, Status
from robust_eval.report import numbers as n
from robust_eval.report.text import one_line, shorten

NAME_LIMIT = 80
FEW = 5  # seeds or draws, from which a claim about methods may be made


def primary(record: RunRecord) -> str:
    """The metric that verdicts rest on."""
    return record.dataset.task.metrics[0].name


def name(text: str) -> str:
    """A model's, set's or label's name, safe to print and short enough for a sentence."""
    return shorten(text, NAME_LIMIT)


def warnings(record: RunRecord) -> list[str]:
    """The run's own warnings, then what its answers and sets give cause for."""
    said = [one_line(w, 600) for w in record.warnings]
    failed = Counter[str]()
    for (model, _), predictions in record.predictions.items():
        failed[model] += sum(p.status is Status.FAILED for p in predictions)
    told = [w for w in record.warnings if "failed" in w]
    for model in sorted(m for m in failed if failed[m]):
        if any(w.startswith(f"{model}:") for w in told):
            continue
        said.append(
            f"{n.counted(failed[model], 'request')} to {name(model)} failed: left out of every "
            "figure, never scored as wrong."
        )
    for s in record.sets:
        if s.paired and s.doses and not any(d.changed for d in s.doses):
            said.append(
                f"{name(s.key)} found nothing that turns an answer: another attack or a larger budget may."
                if s.built_against
                else f"{name(s.key)} changed no example: its figures say nothing about the shift."
            )
    said += [
        f"{name(f.model)} did not repeat {n.count(f.not_repeated)} of the {n.count(f.succeeded)} successes of "
        f"{name(f.set_key)} when it was asked again: it is not deterministic, and part of what the attack found is chance."
        for f in record.attacks
        if f.not_repeated
    ]
    floor, tuned = _clean(record, "floor"), _clean(record, "fine-tuned")
    for model, estimate in tuned.items():
        for below, control in floor.items():
            if estimate.value <= control.value:
                said.append(
                    f"{name(model)} scores {n.percent(estimate.value)} on clean text, no better "
                    f"than the floor {name(below)} ({n.percent(control.value)})."
                )
    return list(dict.fromkeys(said))


def _clean(record: RunRecord, kind: str) -> dict[str, Estimate]:
    kinds = {card.name: card.kind for card in record.models}
    return {
        gap.model: gap.clean
        for gap in reversed(record.gaps)
        if gap.metric == primary(record) and gap.paired and kinds.get(gap.model) == kind
    }


def limits(record: RunRecord) -> list[str]:
    """What the figures cannot show, one sentence or two each, the gravest first."""
    said = []
    members = {member for card in record.models for member in card.members}
    if any(s.built_against in members for s in record.sets):
        said.append(
            "Of a model with several seeds or draws each is attacked by itself, and such attacks enter no comparison: each "
            "has its row under Attacks."
        )
    prompted = [card for card in record.models if card.kind == "prompted"]
    tuned = [card for card in record.models if card.kind == "fine-tuned"]
    same = [card for card in tuned if any(one_base(card, other) for other in prompted)]
    others = [card for card in tuned if card not in same]
    if same:
        specs = list(dict.fromkeys(name(card.spec) for card in same))
        said.append(
            f"{_capital(n.listed(['the prompted model', *specs], most=8))} are the same weights, used in different ways, so that size is not "
            "confounded with method. The claim is about this one model on these data, with the settings of "
            "fine-tuning and the prompt as they are here; a larger model may well answer otherwise."
        )
    if prompted and others:
        sizes = "; ".join(f"{name(c.name)}: {described(c)}" for c in (*prompted, *others))
        said.append(
            f"Two things differ at once. {sizes}. A prompted model against a fine-tuned one of "
            "another size confounds size with method: the difference cannot be put down to either alone."
        )
    if once := _once(prompted, tuned):
        draws, claims = once
        said.append(
            f"The figures rest on {n.listed(draws)}. They support a claim about {n.listed(claims)}, "
            "not about the methods: that takes several draws of each (`--seeds`, `--draws`)."
        )
    few = sorted({len(card.members) for card in record.models if 1 < len(card.members) < FEW})
    if few:
        said.append(
            f"Groups of {n.listed([str(count) for count in few])} seeds or draws tell little of how much "
            f"others would vary; a claim about methods takes at least {FEW}."
        )
    populations: dict[str, list[str]] = {}
    for key, text in (
        (CLEAN, record.dataset.population),
        *((s.key, s.population) for s in record.sets),
    ):
        if text:
            populations.setdefault(one_line(text, 300), []).append(name(key))
    if populations:
        said.append(
            "Some texts were selected by a rule, so the figures hold for those texts only. "
            + " ".join(
                f"{_capital(n.listed(keys, most=4))}: {text.rstrip('.')}."
                for text, keys in populations.items()
            )
        )
    if any(not s.paired for s in record.sets):
        said.append(
            "Unpaired shifts compare different texts: besides the domain, length, topic and "
            "difficulty may differ, and a drop is the sum of them all."
        )
    if record.human is None and any(s.family == "noise" for s in record.sets):
        said.append(
            "No person has checked that the noisy texts keep their labels. Heavy noise can remove "
            "what decides a label, for every model alike."
        )
    near = {name(m): k for m, k in sorted(record.near_ties.items()) if k}
    if near:
        ties = n.listed([f"{n.counted(k, 'answer')} of {m}" for m, k in near.items()])
        said.append(
            f"Near-ties: the two best labels lie within 0.001 in log-probability for {ties}. "
            "Another machine or batch size may decide those otherwise."
        )
    if any(
        len({s.key for s in record.sets if s.shift == shift}) > 1 for shift in _shift_names(record)
    ):
        said.append(
            "Verdicts pool the severities of a shift. Figures for a single set are descriptive, "
            "and their intervals are not adjusted for their number."
        )
    return said


def _once(prompted: list[ModelCard], tuned: list[ModelCard]) -> tuple[list[str], list[str]] | None:
    """What was drawn once only, and what a claim is then about."""
    draws, claims = [], []
    # Zero-shot prompts have no demonstrations to draw, and stand beside groups of draws as what they are; a
    # group of draws is more than one.
    if any(not card.members and card.details.get("shots", 1) for card in prompted):
        draws.append("one draw of demonstrations")
        claims.append("this prompt")
    elif prompted and not any(card.members for card in prompted):
        draws.append("one prompt")
        claims.append("this prompt")
    if any(not card.members for card in tuned):
        draws.append("one fine-tuning seed")
        claims.append("this checkpoint")
    return (draws, claims) if draws else None


def _shift_names(record: RunRecord) -> list[str]:
    return list(dict.fromkeys(s.shift for s in record.sets))


def one_base(card: ModelCard, other: ModelCard) -> bool:
    """Whether two models start from the same weights."""
    sha = card.details.get("weights_sha256")
    return isinstance(sha, str) and sha == other.details.get("weights_sha256")


def described(card: ModelCard) -> str:
    """`prompted, 268 million weights`."""
    return f"{card.kind}, {n.weights(card.parameters)}"


def _capital(words: str) -> str:
    """`Clean and 2 more`: a sentence's start; a set's own name stays as it is."""
    if words.startswith("the "):
        return "The " + words[4:]
    return "Clean" + words[len(CLEAN) :] if words.startswith(CLEAN) else words
