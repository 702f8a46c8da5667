"""The complete score matrix inside a report: enough to compute every figure again, without texts.

One object: `models`, `metrics`, `sets` (ids, clusters, which examples changed), `answers` (status and
whether the input was cut), `scores`, and the figures that the page shows.
"""

from __future__ import annotations

import base64
import json
import re
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from robust_eval.errors import DataError
from robust_eval.records import CLEAN, ModelCard, Prediction, RunRecord, Status
from robust_eval.report.calibration import confidence

FORMAT = 3
BUDGET = ("budget", "budget_is_all")  # details that decide which models are compared
DIGITS: Mapping[float | None, str] = {0.0: "0", 1.0: "1", None: "-"}  # scores of one character
SURE = 10_000  # confidences are embedded as whole numbers of one over this
PRESSED = 7  # zlib's level: 9 takes four times as long for half a percent
MOST_BYTES = 256 * 2**20  # unpacked: a small file must not become a large one without end
ELEMENT = "score-matrix"
READ: Mapping[bool | None, str] = {
    True: "s",
    False: "l",
    None: "-",
}  # how a written answer was read
CODES: Mapping[Status, str] = {
    Status.OK: "o",
    Status.UNPARSED: "u",
    Status.REFUSED: "r",
    Status.TRUNCATED: "t",
    Status.FAILED: "f",
}


def pack(record: RunRecord) -> str:
    """The matrix as base64 of zlib of JSON; the same record gives the same text."""
    sets: dict[str, Any] = {
        CLEAN: {
            "ids": [e.id for e in record.dataset.examples],
            "clusters": _clusters([(e.id, e.source_id) for e in record.dataset.examples]),
            "paired": True,
        }
    }
    for s in record.sets:
        ids = [e.id for e in s.examples]
        sets[s.key] = {
            # Most sets have the clean set's ids in the clean set's order: said, not repeated.
            "ids": CLEAN if ids == sets[CLEAN]["ids"] else ids,
            "clusters": _clusters([(e.id, e.source_id) for e in s.examples]),
            "paired": s.paired,
            "shift": s.shift,
            "family": s.family,
            "severity": s.severity,
            "seed": s.seed,
            "prompt_edit": s.prompt_edit,
            "dose": sum(d.edit_rate for d in s.doses) / len(s.doses) if s.doses else None,
            "changed": _bits([d.changed for d in s.doses]),
            "suspect": _bits([bool(check.reasons) for check in s.preservation]),
            # Of attacks alone: what was built against another model is transfer, and judged as such.
            **({"built_against": s.built_against} if s.built_against is not None else {}),
        }
    payload = {
        "format": FORMAT,
        "task": record.dataset.task.kind.value,
        "equal_budgets": bool(record.settings.get("equal_budgets")),
        "level": record.settings.get("level", 0.95),
        "models": [
            {
                **{
                    name: getattr(card, name)
                    for name in ("name", "role", "kind", "spec", "members")
                },
                "prints": _prints(record, card),
                "budget": {k: card.details[k] for k in BUDGET if k in card.details},
            }
            for card in record.models
        ],
        "order": [s.key for s in record.sets],
        "metrics": [
            {"name": m.name, "higher_is_better": m.higher_is_better}
            for m in record.dataset.task.metrics
        ],
        "fingerprint": record.dataset.fingerprint,
        "labels": list(record.dataset.labels),
        "targets": _targets(record),
        "sets": sets,
        "answers": [
            {"model": model, "set": key, **_answers(record, model, key, predictions)}
            for (model, key), predictions in sorted(record.predictions.items())
        ],
        "repeats": [
            {
                "model": model,
                "set": key,
                "repeat": repeat,
                **_answers(record, model, key, predictions),
            }
            for (model, key, repeat), predictions in sorted(record.repeats.items())
        ],
        "repeat_scores": [
            {"model": m, "set": key, "metric": metric, "repeat": repeat, "values": _scores(values)}
            for (m, key, metric, repeat), values in sorted(record.repeat_scores.items())
        ],
        "scores": [
            {"model": model, "set": key, "metric": metric, "values": _scores(values)}
            for (model, key, metric), values in sorted(record.scores.items())
        ],
        "gaps": [asdict(gap) for gap in record.gaps],
        "comparisons": [asdict(c) for c in record.comparisons],
        "gate": None if record.gate is None else asdict(record.gate),
        "analysis": None if record.analysis is None else asdict(record.analysis),
        "panel": None if record.panel is None else asdict(record.panel),
        "lines": [asdict(line) for line in record.lines],
        "temperatures": [asdict(fitted) for fitted in record.temperatures],
        # Which data a panel must be about; only where there is one.
        "origin": (record.splits.get("fingerprints") or {}).get("dataset")
        if record.panel
        else None,
        "sources": {s.key: s.source for s in record.sets} if record.panel else {},
    }
    text = json.dumps(payload, sort_keys=True, separators=(",", ":"), default=dict)
    return base64.b64encode(zlib.compress(text.encode("ascii"), PRESSED)).decode("ascii")


def _prints(record: RunRecord, card: ModelCard) -> list[str]:
    """Fingerprints of a model, and of a group's members in their order."""
    own = {member.name: member.fingerprint for member in record.members}
    return [card.fingerprint, *(own.get(name, "") for name in card.members)]


def unpack(page: str) -> dict[str, Any]:
    """The matrix of a report page. Raises DataError when there is none or it is damaged or too large."""
    found = re.search(
        rf'<script type="text/plain" id="{ELEMENT}">\s*([A-Za-z0-9+/=\s]*)</script>', page
    )
    if found is None:
        raise DataError("the page holds no score matrix; is it a report.html of robust-eval?")
    try:
        engine = zlib.decompressobj()
        raw = engine.decompress(
            base64.b64decode("".join(found[1].split()), validate=True), MOST_BYTES
        )
        if engine.unconsumed_tail:
            raise DataError(f"the page's score matrix unpacks to more than {MOST_BYTES} bytes")
        if not engine.eof:
            raise DataError("the page's score matrix ends too early; copy the report again")
        matrix = json.loads(raw)
    except (ValueError, zlib.error, RecursionError) as error:
        raise DataError(
            f"the page's score matrix is damaged ({error}); copy the report again"
        ) from error
    if not isinstance(matrix, dict) or matrix.get("format") != FORMAT:
        raise DataError(
            "the page's score matrix has another format; verify it with the version that wrote it"
        )
    return matrix


def outcomes(values: str | Sequence[float | None]) -> list[float | None]:
    """Scores from their packed form, in example order; None where there is no answer."""
    if isinstance(values, str):
        return [None if code == "-" else float(code) for code in values]
    return list(values)


def _clusters(pairs: Sequence[tuple[str, str]]) -> list[str] | None:
    """Source ids, or None where every example is its own source."""
    return None if all(a == b for a, b in pairs) else [source for _, source in pairs]


def _targets(record: RunRecord) -> Any:
    """Label indices, which give the majority rate; nothing for tasks without labels."""
    at = {label: i for i, label in enumerate(record.dataset.labels)}
    return (
        [at.get(e.target) if isinstance(e.target, str) else None for e in record.dataset.examples]
        if at
        else []
    )


def _bits(flags: Sequence[bool]) -> str:
    return "".join("1" if flag else "0" for flag in flags)


def _answers(
    record: RunRecord, model: str, key: str, predictions: Sequence[Prediction]
) -> dict[str, Any]:
    """Status, whether the input was cut and, where the model says it, how sure it was and how it was read."""
    packed: dict[str, Any] = {
        "status": "".join(CODES[p.status] for p in predictions),
        "cut": _bits([p.input_truncated for p in predictions]),
    }
    sure = [confidence(p, record.dataset.labels) for p in predictions]
    if any(value is not None for value in sure):
        packed["sure"] = [None if value is None else round(value * SURE) for value in sure]
    if any(p.strict is not None for p in predictions):
        packed["strict"] = "".join(READ[p.strict] for p in predictions)
    if (model, key) in record.scaled:
        packed["scaled"] = [
            None if value is None else round(value * SURE) for value in record.scaled[model, key]
        ]
    if key == CLEAN and any(m == model for m, _, _ in record.repeats):
        packed["says"] = _says(record, model, predictions)
    return packed


def _says(record: RunRecord, model: str, predictions: Sequence[Prediction]) -> list[int | None]:
    """Which answer each is, so that repeats can be compared: a label's index, or a number by item."""
    at = {label: i for i, label in enumerate(record.dataset.labels)}
    first = record.predictions[model, CLEAN]
    every = [first, *(p for (m, _, _), p in sorted(record.repeats.items()) if m == model)]
    said: list[int | None] = []
    for i, p in enumerate(predictions):
        if p.label is not None:
            said.append(at.get(p.label))
        elif p.text is None:
            said.append(None)
        else:
            said.append([row[i].text for row in every].index(p.text))
    return said


def _scores(values: Sequence[float | None]) -> str | list[float | None]:
    """One character a score where all are 0, 1 or missing, else the numbers themselves."""
    if {*values} <= {*DIGITS}:
        return "".join(map(DIGITS.__getitem__, values))
    return list(values)
