"""What people said of a sample of shifted texts, and the drops that follow."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from robust_eval.records import HumanCheck, HumanGap, RunRecord
from robust_eval.report import numbers as n
from robust_eval.report.cautions import name
from robust_eval.report.text import markdown_code, markdown_table

ALL = "all judged sets together"


@dataclass(frozen=True, slots=True)
class PeopleView:
    check: HumanCheck
    facts: tuple[str, ...]
    rows: tuple[tuple[int, str, HumanGap], ...]  # series, set, figures


def people(record: RunRecord) -> PeopleView | None:
    """The judgements and corrected drops; None when nobody was asked."""
    check = record.human
    if check is None:
        return None
    series = {card.name: i for i, card in enumerate(record.models)}
    rows = tuple(
        (series[row.model], ALL if row.set_key is None else name(row.set_key), row)
        for row in check.rows
        if row.model in series
    )
    return PeopleView(check, tuple(_facts(check)), rows)


def _facts(check: HumanCheck) -> list[str]:
    facts = [
        f"{n.counted(check.judged, 'shifted example')} judged; people gave {n.percent(check.survived)} of "
        "them the recorded label"
    ]
    if check.controls_agreed:
        agreed = check.controls_agreed
        facts.append(
            f"{n.counted(check.controls, 'clean example')} mixed in; people gave {n.percent(agreed.value)} "
            f"of them the recorded label ({n.level(agreed.level)} interval {n.bounds(agreed)}): "
            "no higher share can be expected of shifted ones"
        )
    if check.agreement is not None:
        facts.append(f"where several people judged, {n.percent(check.agreement)} of pairs agree")
    if check.blank:
        facts.append(f"{n.counted(check.blank, 'row')} left blank, taken as left out at random")
    return facts


def people_markdown(record: RunRecord) -> Sequence[str]:
    """The same table for `report.md`."""
    view = people(record)
    if view is None:
        return ()
    facts = "; ".join(view.facts) + "."
    if not view.rows:
        return (facts,)
    table = markdown_table(
        ("Set", "Model", "Judged", "Labels kept", "Drop, all", "Drop, labels kept"),
        (
            (
                ALL if row.set_key is None else markdown_code(row.set_key, cell=True),
                markdown_code(row.model, cell=True),
                str(row.judged),
                n.score_with_bounds(row.kept),
                n.with_bounds(row.drop),
                "–" if row.drop_kept is None else n.with_bounds(row.drop_kept),
            )
            for _, _, row in view.rows
        ),
        numbers_from=2,
    )
    return (facts[:1].upper() + facts[1:], table)
