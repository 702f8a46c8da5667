from __future__ import annotations

import re
from dataclasses import replace

import pytest

from robust_eval.records import ModelCard
from robust_eval.report import budgets, render_html, render_markdown
from robust_eval.report.cautions import limits

BASE = "demo:gemma-3-270m"
SHA = "ab" * 32


def prompted(shots: int, members: int = 3) -> ModelCard:
    name = f"{BASE} ({shots}-shot)"
    details = {
        "budget": shots,
        "template": "sentiment, version 2",
        "scoring": "label log-likelihood",
    }
    return card(name, BASE, "model", "prompted", details, members if shots else 0)


def tuned(method: str, budget: int, members: int = 3, *, whole: bool = False) -> ModelCard:
    spec = f"{'lora' if method == 'LoRA' else 'full'}:{BASE}"
    name = spec if whole else f"{spec} ({budget} examples)"
    details = {
        "budget": budget,
        "method": method,
        "template": "sentiment, version 2",
        "scoring": "label log-likelihood",
        **({"budget_is_all": True} if whole else {}),
    }
    return card(name, spec, "baseline", "fine-tuned", details, members)


def card(name, spec, role, kind, details, members):
    return ModelCard(
        name,
        spec,
        role,
        kind,
        "f" * 32,
        True,
        268_098_176,
        {**details, "weights_sha256": SHA},
        members=tuple(f"{name}, {i}" for i in range(members)),
    )


STUDY = (
    prompted(0),
    prompted(4),
    prompted(16),
    tuned("LoRA", 16),
    tuned("LoRA", 256, whole=True),
    tuned("all weights", 16),
)


@pytest.fixture
def study(make_run):
    record = make_run(
        n=40, sets=(("noise", "mixed-noise", 3), ("domain", "imdb", None)), models=STUDY
    )
    unset = dict.fromkeys(("epochs", "learning_rate", "train_batch_size"))
    return replace(record, settings={**record.settings, **unset, "equal_budgets": True})


def test_every_way_has_a_row_for_each_number_of_examples(study):
    view = budgets.budgets_view(study)
    assert view.columns == ("clean", "mixed-noise@3", "imdb")
    assert [(arm.way, arm.budget, arm.members) for arm in view.arms] == [
        (f"{BASE}, prompted", "0", "one prompt"),
        (f"{BASE}, prompted", "4", "3 draws"),
        (f"{BASE}, prompted", "16", "3 draws"),
        (f"{BASE}, LoRA", "16", "3 seeds"),
        (f"{BASE}, LoRA", "256 (all)", "3 seeds"),
        (f"{BASE}, all weights", "16", "3 seeds"),
    ]
    of = {(g.model, g.set_key): g for g in study.gaps}
    gap = of[STUDY[4].name, "imdb"]
    assert view.arms[4].scores[2].startswith(f"{gap.shifted.value * 100:.1f} (")
    assert view.arms[4].scores[0].startswith(f"{gap.clean.value * 100:.1f} (")


def test_the_chart_has_a_point_for_each_row_over_even_steps(study):
    view = budgets.budgets_view(study)
    assert [column for column, _ in view.charts] == list(view.columns)
    svg = view.charts[0][1]
    assert len(re.findall(r"<g><title>", svg)) == len(STUDY)
    ticks = re.findall(r'<text class="tick" x="([\d.]+)"[^>]*text-anchor="middle">([^<]+)<', svg)
    assert [word for _, word in ticks] == ["0", "4", "16", "256, all"]
    places = [float(x) for x, _ in ticks]
    assert places[1] - places[0] == pytest.approx(places[3] - places[2], abs=0.2)


def test_it_says_what_is_alike(study):
    said = " ".join(budgets.budgets_view(study).conditions)
    for words in (
        "same weights (SHA-256 abababababab…, 268 million weights)",
        "template sentiment, version 2",
        "k demonstrations with k training examples",
        "taken from the budget",
        "nothing was searched",
    ):
        assert words in said


def test_it_claims_nothing_that_does_not_hold(study):
    other = replace(STUDY[5], details={**STUDY[5].details, "weights_sha256": "cd" * 32})
    settings = {**study.settings, "epochs": 3, "equal_budgets": False}
    record = replace(study, models=(*STUDY[:5], other), settings=settings)
    said = " ".join(budgets.budgets_view(record).conditions)
    assert "same weights" not in said
    assert "Compared are equal" not in said
    assert "nothing was searched" not in said


def test_a_run_without_curves_has_no_such_section(study, run_record):
    assert budgets.budgets_view(run_record) is None
    single = replace(study, models=(STUDY[2], STUDY[3], STUDY[5]))
    assert budgets.budgets_view(single) is None
    assert "By number of examples" not in render_markdown(single)


def test_both_pages_show_it(study):
    assert 'id="budgets"' in render_html(study)
    short = render_markdown(study)
    assert "### By number of examples" in short
    assert "| 256 (all) |" in short


def test_an_unanswered_set_leaves_a_dash(study):
    gaps = tuple(g for g in study.gaps if (g.model, g.set_key) != (STUDY[1].name, "imdb"))
    view = budgets.budgets_view(replace(study, gaps=gaps))
    assert view.arms[1].scores[2] == "–"


def test_the_same_weights_are_not_called_a_model_of_another_size(study, run_record):
    said = " ".join(limits(study))
    assert "are the same weights" in said
    assert "confounds size" not in said
    assert "Groups of 3 seeds or draws tell little" in said
    assert "confounds size" in " ".join(limits(run_record))


def test_with_one_seed_the_limits_say_what_the_claim_is_about(study):
    alone = tuple(replace(c, members=()) for c in study.models)
    said = " ".join(limits(replace(study, models=alone)))
    assert "one draw of demonstrations and one fine-tuning seed" in said
    assert "a claim about this prompt and this checkpoint, not about the methods" in said


def test_hostile_names_are_shown_harmlessly(study, poison):
    page = render_html(poison(study, "<script>\u202eevil"))
    assert "<script>\u202e" not in page
    assert "<script>⟨" not in page


def test_what_was_given_for_fine_tuning_is_said(study):
    def said(**given):
        view = budgets.budgets_view(replace(study, settings={**study.settings, **given}))
        return [line for line in view.conditions if "by hand" in line]

    assert said() == said(layer_decay=0.95, mixed_precision="auto") == []
    assert said(layer_decay=1.0, mixed_precision="on") == [
        "Given by hand for fine-tuning: layer decay 1 and mixed precision on."
    ]
