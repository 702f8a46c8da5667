from __future__ import annotations

from dataclasses import replace

from robust_eval.records import Status
from robust_eval.report import extraction, render_html, render_markdown
from robust_eval.score.analysis import analysis


def written(record):
    """The first model wrote its answers; on one set every second one only the lenient parser reads."""
    name = record.models[0].name
    answers = {
        (model, key): tuple(
            replace(p, strict=key != "word-drops@3" or i % 2 == 0)
            if model == name and p.status is Status.OK
            else p
            for i, p in enumerate(given)
        )
        for (model, key), given in record.predictions.items()
    }
    record = replace(record, predictions=answers)
    return replace(record, analysis=analysis(record))


def test_both_readings_stand_side_by_side(make_run):
    record = written(make_run(n=40, failing=0.0))
    rows = {row.set_key: row for row in extraction.readings(record)}
    assert set(rows) == {"clean", *(s.key for s in record.sets)}
    plain, mixed = rows["keyboard-typos@3"], rows["word-drops@3"]
    assert plain.scores[0].split()[0] == plain.scores[1].split()[0]
    assert plain.drops[0].split()[0] == plain.drops[1].split()[0]
    assert mixed.scores[0] != mixed.scores[1]
    assert (mixed.strict, mixed.lenient, mixed.unread) == ("50.0%", "50.0%", "0.0%")
    assert rows["clean"].drops is None


def test_both_reports_have_the_section_only_where_answers_were_written(make_run):
    record = make_run(n=40, failing=0.0)
    assert extraction.readings(record) is None
    assert "Strict and lenient reading" not in render_html(record) + render_markdown(record)
    record = written(record)
    page, short = render_html(record), render_markdown(record)
    assert '<section id="extraction"' in page
    assert "### Strict and lenient reading" in short
    assert "50.0%" in short
