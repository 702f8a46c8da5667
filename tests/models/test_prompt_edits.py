"""Prompt-side shifts: each edit asks the same thing otherwise, the same way every time."""

from __future__ import annotations

from dataclasses import replace

import pytest

from robust_eval.errors import RecipeError
from robust_eval.models.prompt import Demonstration, Prompt, reordered_options
from robust_eval.models.prompt_edits import EDITS, edited, parse_edit, plan_edits
from robust_eval.models.templates import built_in_names, load_template
from robust_eval.records import TASKS, TaskKind

SHOWN = tuple(
    Demonstration(f"d{i}", (("text", f"shown {i}"),), words)
    for i, words in enumerate(("negative", "positive", "positive"))
)
WORDS = (("negative", "negative"), ("positive", "positive"))
SENTIMENT = Prompt(load_template("sentiment"), WORDS, SHOWN)
TOPIC = Prompt(
    load_template("classification"),
    (("sci", "science {x}"), ("spo", "sport"), ("art", "art")),
    (Demonstration("d", (("text", "a goal"),), "sport"),),
)


def every_edit() -> list[str]:
    return [plan.edit for name in EDITS for plan in plan_edits(name, None, 5)]


def changed(prompt: Prompt, edit: str) -> Prompt:
    found = edited(prompt, edit)
    assert isinstance(found, Prompt), found
    return found


@pytest.mark.parametrize("edit", every_edit())
@pytest.mark.parametrize("prompt", [SENTIMENT, TOPIC], ids=["sentiment", "topic"])
def test_an_edit_changes_the_prompt_but_neither_labels_nor_texts(prompt: Prompt, edit: str) -> None:
    found = edited(prompt, edit)
    if isinstance(found, str):
        assert found  # says why
        return
    assert found.fingerprint() != prompt.fingerprint()
    assert found.fingerprint() == changed(prompt, edit).fingerprint()
    assert [label for label, _ in found.words] == [label for label, _ in prompt.words]
    assert len({words for _, words in found.words}) == len(prompt.words)
    page = found.render({"text": "THE TEXT {as} it is"})
    assert "THE TEXT {as} it is" in page
    assert page != prompt.render({"text": "THE TEXT {as} it is"})
    assert sorted(shown.inputs for shown in found.demonstrations) == sorted(
        shown.inputs for shown in prompt.demonstrations
    )
    before, after = dict(prompt.words), dict(found.words)
    meant = {words: label for label, words in before.items()}
    by_id = {shown.id: shown.answer for shown in found.demonstrations}
    for shown in prompt.demonstrations:
        assert by_id[shown.id] == after[meant[shown.answer]]


def test_paraphrases_of_neighbouring_seeds_differ_and_come_round() -> None:
    count = len(SENTIMENT.template.paraphrases)
    pages = [
        changed(SENTIMENT, f"instruction-paraphrases#{seed}").preview(("text",))
        for seed in range(count + 1)
    ]
    assert len(set(pages)) == count
    assert pages[0] == pages[count]


@pytest.mark.parametrize("name", built_in_names())
def test_every_built_in_template_and_its_paraphrases_suit_its_tasks(name: str) -> None:
    template = load_template(name)
    assert template.paraphrases
    for task in template.tasks:
        template.check(TASKS[TaskKind(task)])
        for number in range(len(template.paraphrases)):
            assert template.paraphrased(number).segments[-1][1] == "answer"


def test_typos_of_a_severity_are_there_at_the_next_one_too() -> None:
    def wording(severity: int) -> str:
        found = edited(TOPIC, f"instruction-typos@{severity}#2")
        return (found if isinstance(found, Prompt) else TOPIC).template.instruction

    clean = TOPIC.template.instruction
    hit: set[int] = set()
    for severity in range(1, 6):
        text = wording(severity)
        assert len(text) == len(clean)
        assert "{labels}" in text
        now = {i for i, (a, b) in enumerate(zip(clean, text, strict=True)) if a != b}
        assert hit <= now
        hit = now
    assert hit


def test_formats_of_a_severity_are_kept_at_the_next_one() -> None:
    lines = [
        changed(SENTIMENT, f"prompt-format@{severity}#0").template.example
        for severity in range(1, 6)
    ]
    separators = [
        changed(SENTIMENT, f"prompt-format@{severity}#0").template.separator
        for severity in range(1, 6)
    ]
    assert len(set(zip(lines, separators, strict=True))) == 5
    assert lines[-1] != SENTIMENT.template.example
    assert separators[-1] != SENTIMENT.template.separator
    assert all("{text}" in line and line.endswith("{answer}") for line in lines)


def test_letters_are_explained_and_shown_in_the_demonstrations() -> None:
    found = changed(TOPIC, "label-letters#0")
    page = found.render({"text": "x"})
    assert "A: science {x}, B: sport, C: art" in page
    assert "Label: B" in page
    assert found.answers() == (" A", " B", " C")


def test_options_are_listed_in_another_order_and_scored_in_the_same() -> None:
    found = changed(TOPIC, "option-order#0")
    assert found.answers() == TOPIC.answers()
    line, original = (p.preview(("text",)).splitlines()[0] for p in (found, TOPIC))
    assert line != original
    assert sorted(line) == sorted(original)


def test_multiple_choice_options_move_and_the_right_letter_with_them() -> None:
    labels = ("A", "B", "C")
    shown = Demonstration("d", (("question", "2 + 2?"), ("options", "A) 3 B) 4 C) 5")), "B")
    prompt = Prompt(
        load_template("multiple-choice"), tuple((label, label) for label in labels), (shown,)
    )
    orders = set()
    for seed in range(8):
        found = changed(prompt, f"option-order#{seed}")
        page = found.render({"question": "1 + 1?", "options": "A) 1 B) 2 C) 3"})
        assert "letter of the right option: A, B, C." in page
        letters = dict(zip(labels, (a.strip() for a in found.answers()), strict=True))
        assert f"{letters['B']}) 2" in page
        assert f"{letters['A']}) 1" in page
        assert f"{letters['B']}) 4" in page
        assert f"Answer: {letters['B']}\n" in page
        orders.add(found.option_order)
    assert len(orders) > 1
    assert labels not in orders


def test_options_that_are_not_lettered_stay() -> None:
    assert reordered_options("x, y or z", "ABC", "CAB") == "x, y or z"
    assert reordered_options("A) x B) y", "ABC", "CAB") == "B) x C) y"


def test_two_demonstrations_are_always_turned_round() -> None:
    prompt = replace(SENTIMENT, demonstrations=SHOWN[:2])
    for seed in range(5):
        found = changed(prompt, f"demonstration-order#{seed}")
        assert [shown.id for shown in found.demonstrations] == ["d1", "d0"]


@pytest.mark.parametrize(
    ("prompt", "edit", "why"),
    [
        (Prompt(load_template("sentiment-bare"), WORDS), "option-order#0", "lists no options"),
        (replace(SENTIMENT, demonstrations=()), "demonstration-order#0", "no demonstrations"),
        (Prompt(load_template("math")), "label-case#0", "no labels"),
        (TOPIC, "label-synonyms#0", "no [label_synonyms] for sci"),
        (
            replace(SENTIMENT, template=replace(SENTIMENT.template, paraphrases=())),
            "instruction-paraphrases#0",
            "no [[paraphrase]]",
        ),
        (
            Prompt(load_template("classification"), (("1", "1"), ("2", "2"))),
            "label-case#0",
            "already",
        ),
    ],
)
def test_an_edit_that_does_not_apply_says_why(prompt: Prompt, edit: str, why: str) -> None:
    found = edited(prompt, edit)
    assert isinstance(found, str)
    assert why in found


@pytest.mark.parametrize(
    ("edit", "why"),
    [
        ("prompt-format#0", "takes a severity"),
        ("label-case@3#0", "has no severity"),
        ("label-cese#0", "did you mean 'label-case'"),
        ("label-case", "write name@severity#seed"),
        ("prompt-format@6#0", "write name@severity#seed"),
        ("x" * 1000, "write name@severity#seed"),
    ],
)
def test_what_is_no_edit_is_refused(edit: str, why: str) -> None:
    with pytest.raises(RecipeError, match=why):
        parse_edit(edit)


def test_plans_carry_severity_and_seed_and_refuse_a_severity_where_there_is_none() -> None:
    (plan,) = plan_edits("prompt-format", (5,), 7, (2,))
    assert (plan.key, plan.edit, plan.seed) == ("prompt-format@5#2", "prompt-format@5#9", 9)
    (bare,) = plan_edits("label-case", None, 7)
    assert (bare.key, bare.edit, bare.severity) == ("label-case", "label-case#7", None)
    with pytest.raises(RecipeError, match="no severity"):
        list(plan_edits("label-case", (3,), 0))
