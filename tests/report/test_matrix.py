from __future__ import annotations

import base64
import zlib
from dataclasses import replace

import pytest

from robust_eval.errors import DataError
from robust_eval.records import Status
from robust_eval.report import matrix, render_html


@pytest.fixture(scope="module")
def packed(run_record):
    return matrix.unpack(render_html(run_record))


def test_every_score_and_status_can_be_read_back_from_the_page(run_record, packed):
    back = {
        (s["model"], s["set"], s["metric"]): matrix.outcomes(s["values"]) for s in packed["scores"]
    }
    assert back == {key: list(values) for key, values in run_record.scores.items()}
    codes = {(a["model"], a["set"]): a["status"] for a in packed["answers"]}
    for key, predictions in run_record.predictions.items():
        assert codes[key] == "".join(matrix.CODES[p.status] for p in predictions)
    assert any("f" in status for status in codes.values())


def test_a_drop_can_be_computed_again_from_the_page_alone(packed):
    gap = next(g for g in packed["gaps"] if g["set_key"] == "keyboard-typos@3" and g["left_out"])
    scores = {(s["model"], s["set"]): matrix.outcomes(s["values"]) for s in packed["scores"]}
    both = [
        (a, b)
        for a, b in zip(
            scores[gap["model"], "clean"], scores[gap["model"], gap["set_key"]], strict=True
        )
        if a is not None and b is not None
    ]
    assert sum(a - b for a, b in both) / len(both) == pytest.approx(gap["drop"]["value"])


def test_ids_clusters_and_changes_are_there_and_no_text_is(run_record, packed):
    assert packed["sets"]["clean"]["ids"] == [e.id for e in run_record.dataset.examples]
    assert packed["sets"]["keyboard-typos@3"]["ids"] == "clean"
    assert packed["sets"]["imdb"]["ids"][0] == "imdb-00000"
    assert set(packed["sets"]["mixed-noise@1"]["changed"]) == {"0", "1"}
    assert "director" not in str(packed)


def test_scores_that_are_not_binary_keep_their_value(run_record):
    scores = {k: tuple(0.5 for _ in v) for k, v in run_record.scores.items()}
    back = matrix.unpack(render_html(replace(run_record, scores=scores)))
    assert set(matrix.outcomes(back["scores"][0]["values"])) == {0.5}


def page(body: str) -> str:
    return f'<script type="text/plain" id="{matrix.ELEMENT}">{body}</script>'


def test_a_page_without_or_with_a_damaged_matrix_is_a_clear_error(run_record):
    good = matrix.pack(run_record)
    for bad in ("<p>", page(good[:-400]), page("AAAA"), page(good[:50] + "%" + good[51:])):
        with pytest.raises(DataError, match="score matrix"):
            matrix.unpack(bad)


def test_another_format_is_refused():
    other = base64.b64encode(zlib.compress(b'{"format": 99}')).decode()
    with pytest.raises(DataError, match="another format"):
        matrix.unpack(page(other))


def test_a_small_page_cannot_unpack_without_end(monkeypatch):
    monkeypatch.setattr(matrix, "MOST_BYTES", 1000)
    bomb = base64.b64encode(zlib.compress(b"0" * 100_000)).decode()
    with pytest.raises(DataError, match="more than 1000 bytes"):
        matrix.unpack(page(bomb))


def test_every_status_has_a_code_of_its_own():
    assert len(set(matrix.CODES.values())) == len(matrix.CODES) == len(Status)
