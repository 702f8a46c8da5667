from __future__ import annotations

from dataclasses import replace

import pytest

from robust_eval.report import render_html, render_markdown, transfer


@pytest.fixture(scope="module")
def attacked(make_run):
    """Two sets built against the first two models in turn, and one built against none."""
    sets = [("noise", f"attack-{i}", 3) for i in range(2)] + [("noise", "keyboard-typos", 3)]
    record = make_run(n=40, sets=sets, failing=0.0)
    victims = [record.models[0].name, record.models[1].name, None]
    return replace(
        record,
        sets=tuple(
            replace(s, family="adversarial" if victim else "noise", built_against=victim)
            for s, victim in zip(record.sets, victims, strict=True)
        ),
    )


def test_rows_are_the_sets_built_against_a_model_and_the_attacked_cell_says_so(attacked):
    view = transfer.transfer(attacked)
    assert [row.label for row in view.table.rows] == [
        "attack-0@3 → demo:gemma-3-270m",
        "attack-1@3 → demo:minilm",
    ]
    assert view.table.columns == ("demo:gemma-3-270m", "demo:minilm", "bow")
    said = [[cell.note.startswith("attacked") for cell in row.cells] for row in view.table.rows]
    assert said == [[True, False, False], [False, True, False]]


def test_flips_are_counted_among_the_answers_that_were_right_when_clean(attacked):
    (first, _) = transfer.transfer(attacked).table.rows
    clean = attacked.scores["bow", "clean", "accuracy"]
    shifted = attacked.scores["bow", "attack-0@3", "accuracy"]
    lost = sum(a > b for a, b in zip(clean, shifted, strict=True))
    assert first.cells[2].note == f"{lost} of {int(sum(clean))} right answers lost"


def test_the_section_and_its_short_form_stand_only_where_a_set_was_built_against_a_model(
    attacked, run_record
):
    assert 'id="transfer"' in render_html(attacked)
    page = render_markdown(attacked)
    assert "### Transfer of attacks" in page
    row = next(line for line in page.splitlines() if "attack-1@3 → " in line)
    assert [cell.strip().startswith("**") for cell in row.split("|")[2:5]] == [False, True, False]
    assert transfer.transfer(run_record) is None
    assert "Transfer of attacks" not in render_markdown(run_record)
