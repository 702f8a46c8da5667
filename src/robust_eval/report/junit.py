"""`junit.xml`: the gate's checks as test cases, for the test tab of a build server."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET

from robust_eval.errors import StatisticsError
from robust_eval.records import RunRecord
from robust_eval.report import views
from robust_eval.report.gates import CheckRow, gate_view
from robust_eval.report.text import visible

# Characters that XML 1.0 does not allow, escaped or not.
FORBIDDEN = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def render_junit(record: RunRecord) -> str:
    """One test case a check. An inconclusive check is an error, not a skip: a build must not go green.

    Raises StatisticsError for a run without a gate.
    """
    gate = gate_view(record)
    if gate is None or record.gate is None:
        raise StatisticsError("no gate was asked for, so there is no JUnit file; give limits")
    failures = sum(row.outcome == "fail" for row in gate.rows)
    errors = sum(row.outcome == "inconclusive" for row in gate.rows)
    counts = {"tests": str(len(gate.rows)), "failures": str(failures), "errors": str(errors)}
    root = ET.Element("testsuites", {"name": "robust-eval", **counts})
    suite = ET.SubElement(root, "testsuite", {"name": _safe(record.gate.policy), **counts})
    properties = ET.SubElement(suite, "properties")
    for key, value in (
        ("outcome", gate.outcome),
        ("signature", views.signature(record)),
        ("data", record.dataset.name),
        *(("limited to", said) for said in gate.limited),
    ):
        ET.SubElement(properties, "property", {"name": key, "value": _safe(value)})
    for row in gate.rows:
        _case(suite, row)
    ET.indent(root)
    return '<?xml version="1.0" encoding="utf-8"?>\n' + ET.tostring(root, encoding="unicode") + "\n"


def _case(suite: ET.Element, row: CheckRow) -> None:
    named = {"classname": _safe(row.model), "name": _safe(f"{row.where}: {row.what}")}
    case = ET.SubElement(suite, "testcase", named)
    said = f"{row.figure} against a limit of {row.limit} points, {row.originals} originals"
    if row.outcome == "pass":
        ET.SubElement(case, "system-out").text = _safe(f"{row.reason} {said}")
        return
    kind = "failure" if row.outcome == "fail" else "error"
    fault = ET.SubElement(case, kind, {"type": row.outcome, "message": _safe(row.reason)})
    fault.text = _safe(said)


def _safe(text: str) -> str:
    """Text that XML may hold: hidden characters written out, whatever is still forbidden replaced."""
    return FORBIDDEN.sub("\N{REPLACEMENT CHARACTER}", visible(text))
