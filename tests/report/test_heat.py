from __future__ import annotations

from dataclasses import replace

from robust_eval.report import heat


def test_the_largest_loss_is_deepest_and_a_gain_has_the_other_colour():
    table = heat.heat_table("Set", ("a", "b"), [("x", {"a": 0.2, "b": -0.1}), ("y", {"a": 0.001})])
    (first, second) = table.rows
    assert [cell.tone for cell in first.cells] == ["loss-5", "gain-3"]
    assert [cell.text for cell in first.cells] == ["+20.0", "−10.0"]
    assert [(cell.text, cell.tone) for cell in second.cells] == [("+0.1", ""), ("–", "")]


def test_tones_grow_with_the_loss_and_never_leave_their_steps():
    tones = [heat.tone(share / 100, 0.5) for share in range(2, 60)]
    assert tones == sorted(tones)
    assert set(tones) == {f"loss-{step}" for step in range(1, 6)}
    assert heat.tone(0.0, 0.0) == ""


def test_drops_stand_by_set_and_model_and_say_when_zero_is_possible(run_record):
    table = heat.drops(run_record)
    assert [row.label for row in table.rows] == [s.key for s in run_record.sets]
    assert len(table.columns) == 3
    gap = next(g for g in run_record.gaps if g.drop.low <= 0 <= g.drop.high)
    row = next(row for row in table.rows if row.label == gap.set_key)
    assert row.cells[table.columns.index(gap.model)].note == "interval holds zero"
    assert heat.drops(replace(run_record, gaps=())) is None
