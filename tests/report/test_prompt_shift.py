"""Prompt-side shift stands apart: its own section, and no place in what is said of texts."""

from __future__ import annotations

from dataclasses import replace

from robust_eval.records import NotApplicable
from robust_eval.report import render_html, render_markdown, summary
from robust_eval.report.matrix import unpack
from robust_eval.report.prompt_shift import prompt_view, texts_only


def with_prompt_set(record, key: str = "keyboard-typos@3", *, without: tuple[str, ...] = ()):
    """The record with one set made prompt-side, which applies to the prompted model alone."""
    bare = {card.name for card in record.models if card.kind != "prompted"} | set(without)
    kept = lambda model, of: of != key or model not in bare  # noqa: E731
    return replace(
        record,
        sets=tuple(
            replace(s, family="prompt", shift="label-case", prompt_edit="label-case#0", doses=())
            if s.key == key
            else s
            for s in record.sets
        ),
        predictions={w: p for w, p in record.predictions.items() if kept(*w)},
        scores={w: v for w, v in record.scores.items() if kept(*w[:2])},
        gaps=tuple(g for g in record.gaps if kept(g.model, g.set_key)),
        comparisons=tuple(c for c in record.comparisons if c.shift != "keyboard-typos"),
        not_applicable=tuple(NotApplicable(name, key, "it has no prompt") for name in sorted(bare)),
    )


def test_what_is_said_of_texts_is_what_it_would_be_without_prompt_sets(run_record) -> None:
    record = with_prompt_set(run_record)
    assert summary(record) == summary(texts_only(record))
    assert all(row.set_key != "keyboard-typos@3" for row in summary(record).drops)
    assert texts_only(run_record) is run_record


def test_the_prompt_section_has_a_row_a_prompted_model_and_names_the_others(run_record) -> None:
    view = prompt_view(with_prompt_set(run_record))
    assert view is not None
    (only,) = view.sets
    assert [row.model for row in only.rows] == ["demo:gemma-3-270m"]
    assert only.rows[0].gap is not None
    assert view.unprompted == ("demo:minilm", "bow")
    assert prompt_view(run_record) is None


def test_pages_show_the_section_and_keep_every_score(run_record) -> None:
    record = with_prompt_set(run_record)
    page = render_html(record)
    assert 'id="prompts"' in page
    assert "Without a prompt to edit" in page
    assert 'id="prompts"' not in render_html(run_record)
    packed = unpack(page)
    assert "keyboard-typos@3" in packed["sets"]
    assert any(a["set"] == "keyboard-typos@3" for a in packed["answers"])
    text = render_markdown(record)
    assert "### Prompt-side shift" in text
    assert "### Prompt-side shift" not in render_markdown(run_record)


def test_a_run_of_prompt_sets_alone_concludes_on_them(run_record) -> None:
    record = with_prompt_set(run_record)
    keys = {s.key for s in record.sets if s.family == "prompt"}
    alone = replace(
        record,
        sets=tuple(s for s in record.sets if s.key in keys),
        predictions={w: p for w, p in record.predictions.items() if w[1] in {"clean", *keys}},
        scores={w: v for w, v in record.scores.items() if w[1] in {"clean", *keys}},
        gaps=tuple(g for g in record.gaps if g.set_key in keys),
        comparisons=(),
    )
    assert "keyboard-typos@3" in summary(alone).headline
    assert 'id="prompts"' in render_html(alone)
    assert "keyboard-typos@3" in render_markdown(alone)


def test_an_edit_that_does_not_apply_says_so_in_its_row(run_record) -> None:
    record = with_prompt_set(run_record)
    second = replace(
        next(s for s in record.sets if s.family == "prompt"),
        key="option-order",
        shift="option-order",
    )
    record = replace(
        record,
        sets=(*record.sets, second),
        not_applicable=(
            *record.not_applicable,
            NotApplicable("demo:gemma-3-270m", "option-order", "its instruction lists no options"),
        ),
    )
    assert "not applicable: its instruction lists no options" in render_html(record)
    assert "not applicable: its instruction lists no options" in render_markdown(record)
