"""From a policy and a run to pass, fail or inconclusive, one check at a time."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace

from robust_eval.errors import (
    EXIT_GATE_FAILED,
    EXIT_INCONCLUSIVE,
    EXIT_PASS,
    UsageError,
    did_you_mean,
)
from robust_eval.gate.figures import Figure, measure
from robust_eval.gate.policy import KINDS, Policy
from robust_eval.records import (
    GateCheck,
    GateOutcome,
    GateResult,
    LimitKind,
    ModelCard,
    RunRecord,
    ShiftedSet,
)
from robust_eval.score.table import Table
from robust_eval.stats.intervals import normal_quantile
from robust_eval.stats.multiple import holm

POWER = 0.8  # of the number of originals that would decide a check
NOTHING = "No example was answered clean and shifted."
ENOUGH = 5  # seeds or draws
ALONE = {
    "prompted": "this prompt only",
    "fine-tuned": "this checkpoint only",
}  # what one of them says
MOST_ORIGINALS = 10_000_000  # a larger number decides nothing in practice


def judge(record: RunRecord, policy: Policy) -> GateResult:
    """Every limit of the policy on every model with the role "model".

    pass: every check's one-sided upper bound is under its limit, on at least `minimum_n` originals, and
    everything that the policy names was measured. fail: some check's lower bound, Holm-adjusted over
    all checks, is over its limit. inconclusive: neither; the checks say what would decide.
    """
    table = Table.of(record.dataset, record.sets, record.models, record.predictions, record.scores)
    checks = [
        check
        for asked in _asked(record, policy)
        for check in _checks(record, table, policy, *asked)
    ]
    return _concluded(checks, policy.name, policy.level, policy.minimum_n)


def exit_code(result: GateResult) -> int:
    """0, 1 or 3: pass, fail, inconclusive."""
    codes = {"pass": EXIT_PASS, "fail": EXIT_GATE_FAILED, "inconclusive": EXIT_INCONCLUSIVE}
    return codes[result.outcome]


def judge_again(record: RunRecord) -> GateResult:
    """The record's own gate again, from its scores: the same checks on the same limits."""
    gate = record.gate
    assert gate is not None
    table = Table.of(record.dataset, record.sets, record.models, record.predictions, record.scores)
    cards = {card.name: card for card in record.models}
    checks = []
    for old in gate.checks:
        who = [cards[name] for name in (old.model, old.baseline) if name in cards]
        check = replace(
            old, figure=None, p_within=None, p_beyond=None, p_beyond_holm=None,
            originals=0, deciding=None, outcome="inconclusive", reason=old.reason, basis=_basis(who),
        )  # fmt: skip
        sets = [
            s
            for s in record.sets
            if s.shift == old.shift
            and old.set_key in (None, s.key)
            and len(who) == (1 if old.baseline is None else 2)
            and all((card.name, s.key) in table.predictions for card in who)
        ]
        if old.figure is None or not sets:
            checks.append(check)
            continue
        figure = measure(
            table, old.kind, who[0], who[1] if old.baseline else None, sets, old.limit,
            level=gate.level,
        )  # fmt: skip
        empty = replace(check, reason="")
        checks.append(replace(check, reason=NOTHING) if figure is None else _figured(empty, figure))
    return _concluded(checks, gate.policy, gate.level, gate.minimum_n)


def _concluded(checks: list[GateCheck], name: str, level: float, minimum_n: int) -> GateResult:
    tested = [i for i, check in enumerate(checks) if check.p_beyond is not None]
    adjusted = holm([checks[i].p_beyond or 0.0 for i in tested])
    for i, p in zip(tested, adjusted, strict=True):
        checks[i] = replace(checks[i], p_beyond_holm=p)
    judged = tuple(_judged(check, level, minimum_n, len(tested)) for check in checks)
    outcomes = [check.outcome for check in judged]
    outcome: GateOutcome = "pass"
    if "fail" in outcomes:
        outcome = "fail"
    elif "inconclusive" in outcomes or not outcomes:
        outcome = "inconclusive"
    return GateResult(name, outcome, level, minimum_n, judged)


def require_named(policy: Policy, known: Collection[str], families: Collection[str]) -> None:
    """Raises UsageError when the policy names a shift, set or family that the run will not make."""
    for name in policy.named():
        if name not in known:
            raise UsageError(
                f"{policy.name} names the shift {name!r}, which this run does not make"
                f"{did_you_mean(name, known)}"
            )
    for family, _ in policy.families:
        if family not in families:
            raise UsageError(
                f"{policy.name} limits the family {family!r}, of which this run makes no shift"
            )


Asked = tuple[str, str | None, Sequence[ShiftedSet], LimitKind, float]


def _asked(record: RunRecord, policy: Policy) -> Iterator[Asked]:
    """(shift, set key, sets, kind, limit) of everything that the policy limits or names."""
    by_shift: dict[str, list[ShiftedSet]] = {}
    for shifted in record.sets:
        by_shift.setdefault(shifted.shift, []).append(shifted)
    for shift, sets in by_shift.items():
        for kind in KINDS:
            limit = policy.limit(kind, shift, sets[0].family)
            if limit is not None:
                yield shift, None, sets, kind, limit
    by_key = {shifted.key: shifted for shifted in record.sets}
    for name, limits in policy.shifts:
        if name in by_key and name not in by_shift:
            for kind in KINDS:
                limit = limits.of(kind)
                if limit is not None:
                    yield by_key[name].shift, name, [by_key[name]], kind, limit
    for name in policy.named():
        if name not in by_key and name not in by_shift:
            yield name, None, (), "max-drop", _nearest(policy, name)
    families = {shifted.family for shifted in record.sets}
    for family, limits in policy.families:
        if family not in families:
            yield f"family:{family}", None, (), "max-drop", limits.max_drop or 0.0


def _nearest(policy: Policy, name: str) -> float:
    own = dict(policy.shifts).get(name)
    return (own.max_drop if own else None) or policy.everywhere.max_drop or 0.0


def _checks(
    record: RunRecord,
    table: Table,
    policy: Policy,
    shift: str,
    key: str | None,
    sets: Sequence[ShiftedSet],
    kind: LimitKind,
    limit: float,
) -> Iterator[GateCheck]:
    against: list[ModelCard | None] = [None]
    if kind == "max-drop-vs-baseline":
        against = [card for card in record.models if card.role == "baseline"]
    for card in record.models:
        if card.role != "model":
            continue
        for baseline in against:
            both = [card] if baseline is None else [card, baseline]
            check = GateCheck(
                card.name, baseline.name if baseline else None, shift, key, kind, limit,
                None, None, None, None, 0, None, "inconclusive", "", _basis(both),
            )  # fmt: skip
            if not sets:
                known = {name for s in record.sets for name in (s.shift, s.key)}
                near = did_you_mean(shift, known)
                end = near if near.endswith("?") else "."
                yield replace(check, reason=f"The policy names {shift}, which this run lacks{end}")
                continue
            # Only prompt-side sets may lack a model: one without that part of a prompt.
            who = [c.name for c in both]
            answered = [s for s in sets if all((m, s.key) in table.predictions for m in who)]
            if not answered:
                if {shift, key} & set(policy.named()):
                    yield replace(check, reason=f"{shift} does not apply to {' or '.join(who)}.")
                continue
            figure = measure(table, kind, card, baseline, answered, limit, level=policy.level)
            if figure is None:
                yield replace(check, reason=NOTHING)
                continue
            yield _figured(check, figure)


def _figured(check: GateCheck, figure: Figure) -> GateCheck:
    margin = figure.margin
    check = replace(
        check,
        figure=margin.bounds,
        p_within=margin.p_within,
        p_beyond=margin.p_beyond,
        originals=margin.clusters,
        deciding=_deciding(check, figure),
    )
    if figure.weak:
        who = " and ".join(figure.weak)
        bar = f"the majority rate of {_points(figure.majority)}%" if figure.majority else "zero"
        weak = f"The clean score of {who} is not supported to beat {bar}: there is nothing to lose."
        check = replace(check, reason=weak, deciding=None)
    return check


def _judged(check: GateCheck, level: float, minimum_n: int, tests: int) -> GateCheck:
    """The check with its outcome and reason; those that have a reason already stay inconclusive."""
    alpha = 1 - level
    if check.figure is None or check.p_within is None or check.p_beyond_holm is None:
        return check
    if check.reason and check.baseline is not None:
        return check  # against a model at chance neither a pass nor a failure says anything
    bounds = check.figure
    says = f"{_what(check)} is {_points(bounds.value)} points"
    limit = f"the limit of {_points(check.limit)}"
    if check.p_beyond_holm <= alpha:
        over = f"its lower bound {_points(bounds.low)} is over {limit}"
        adjusted = f" (Holm-adjusted p {_p(check.p_beyond_holm)} over {tests} checks)"
        return replace(check, outcome="fail", reason=f"{says}, {over}{adjusted}.", deciding=None)
    if check.reason:
        return check
    if check.p_within <= alpha and check.originals >= minimum_n:
        under = f"its upper bound {_points(bounds.high)} is under {limit}"
        return replace(check, outcome="pass", reason=f"{says}; {under}.", deciding=None)
    if check.p_within <= alpha:
        return replace(
            check,
            deciding=minimum_n,
            reason=f"{says}, within {limit}, but on {check.originals} of the {minimum_n} "
            "originals that the policy asks for.",
        )
    around = f"bounds {_points(bounds.low)} to {_points(bounds.high)} do not settle {limit}"
    needed = check.deciding
    if needed is not None:
        needed = max(needed, minimum_n, check.originals + 1)
        rest = (
            f"about {needed:,} originals would, if the figure stays; there were {check.originals:,}"
        )
    elif "widened" in bounds.method:
        rest = "the spread over seeds or draws is too wide for examples alone to decide: run more of them"
    else:
        rest = "the figure is too close to the limit for any number of examples to decide"
    return replace(check, deciding=needed, reason=f"{says}; {around}; {rest}.")


def _deciding(check: GateCheck, figure: Figure) -> int | None:
    """Originals at which the figure, if it stays, is told from its limit with power 0.8; None where no number does.

    More originals do not lessen the spread over seeds and draws.
    """
    margin = figure.margin
    away = abs(margin.bounds.value - check.limit)
    z = normal_quantile(2 * margin.bounds.level - 1) if margin.bounds.level > 0.5 else 0.0
    z += normal_quantile(2 * POWER - 1)
    room = (away / z) ** 2 - margin.spread
    if room <= 0 or not math.isfinite(margin.error):
        return None
    needed = math.ceil(margin.clusters * margin.error**2 / room)
    return needed if needed <= MOST_ORIGINALS else None


def _basis(cards: Sequence[ModelCard]) -> tuple[str, ...]:
    """What the answer is limited to, model by model; nothing of models in which nothing is drawn."""
    said = []
    for card in cards:
        varied = "draws of demonstrations" if card.kind == "prompted" else "seeds"
        if card.members:
            few = f", under the {ENOUGH} that a claim about the method needs"
            count = len(card.members)
            said.append(f"{card.name}: {count} {varied}{few if count < ENOUGH else ''}")
        elif card.kind in ALONE:
            said.append(f"{card.name}: {ALONE[card.kind]}")
    return tuple(said)


def _what(check: GateCheck) -> str:
    where = check.set_key or check.shift
    if check.kind == "max-relative-drop":
        return f"The relative drop of {check.model} under {where}"
    if check.kind == "max-drop-vs-baseline":
        return f"What {check.model} loses more than {check.baseline} under {where}"
    return f"The drop of {check.model} under {where}"


def _points(share: float) -> str:
    text = f"{round(100 * share, 1) + 0.0:.1f}"
    return text.replace("-", "\N{MINUS SIGN}")


def _p(p: float) -> str:
    return "< 0.001" if p < 0.001 else f"{p:.3f}"
