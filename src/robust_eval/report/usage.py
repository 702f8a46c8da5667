"""What hosted models were asked, and what that cost, arranged for its section."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from robust_eval.records import RunRecord
from robust_eval.report import numbers as n
from robust_eval.report.text import markdown_code, markdown_table, markdown_text

NOTE = (
    "Requests of the call that finished this run, retries included; answers that were stored before cost "
    "nothing again. A request whose reply stated no usage counts with the most that it may have used."
)


@dataclass(frozen=True, slots=True)
class UsageRow:
    model: str
    requests: int
    prompt_tokens: int
    completion_tokens: int
    estimated: int  # requests counted at the most they may have used
    cost: float | None  # US dollars; None where no price is known
    priced: str  # the day that the prices are of

    @property
    def shown_cost(self) -> str:
        return dollars(self.cost)


@dataclass(frozen=True, slots=True)
class UsageView:
    rows: tuple[UsageRow, ...]
    total: float | None  # US dollars of the rows with a price, where there are several
    note: str = NOTE

    @property
    def together(self) -> str:
        return "" if self.total is None else dollars(self.total)


def usage(record: RunRecord) -> UsageView | None:
    """One row for each hosted model that was asked; None where none was."""
    stated = record.host.get("usage")
    if not isinstance(stated, Mapping):
        return None
    rows = tuple(
        _row(str(model), used) for model, used in stated.items() if isinstance(used, Mapping)
    )
    if not rows:
        return None
    costs = [row.cost for row in rows if row.cost is not None]
    return UsageView(rows, sum(costs) if len(costs) > 1 else None)


def dollars(cost: float | None) -> str:
    """`$0.0123`: two decimals from a dollar on, four below."""
    if cost is None:
        return "–"
    return f"${cost:,.2f}" if cost >= 1 else f"${cost:.4f}"


def usage_markdown(record: RunRecord) -> list[str]:
    """The same table for a pull request."""
    view = usage(record)
    if view is None:
        return []
    table = markdown_table(
        ("Model", "Requests", "Prompt tokens", "Completion tokens", "Estimated", "Cost"),
        (
            (
                markdown_code(row.model, cell=True),
                n.count(row.requests),
                n.count(row.prompt_tokens),
                n.count(row.completion_tokens),
                n.count(row.estimated),
                markdown_text(row.shown_cost + (f" ({row.priced})" if row.priced else "")),
            )
            for row in view.rows
        ),
    )
    total = [f"Together {markdown_text(view.together)}."] if view.together else []
    return [table, *total, view.note]


def _row(model: str, used: Mapping[str, Any]) -> UsageRow:
    cost = used.get("cost")
    priced = used.get("prices_of")
    return UsageRow(
        model,
        _count(used.get("requests")),
        _count(used.get("prompt_tokens")),
        _count(used.get("completion_tokens")),
        _count(used.get("estimated_requests")),
        float(cost) if isinstance(cost, int | float) and 0 <= cost < 1e12 else None,
        priced if isinstance(priced, str) else "",
    )


def _count(value: Any) -> int:
    return value if isinstance(value, int) and 0 <= value < 10**15 else 0
