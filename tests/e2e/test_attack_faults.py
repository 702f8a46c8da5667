"""Attacks through the command line: goals, odd texts, missing data, and models that fail, waver or hide their scores."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from robust_eval import store
from robust_eval.records import RunRecord

pytestmark = pytest.mark.e2e
Run = Callable[..., CompletedProcess[str]]

VICTIMS = '''
import os
from pathlib import Path

GOOD = {"warm", "funny", "sharp", "quiet", "faces", "delightful"}
CAPITALS = {"France": "Paris", "Spain": "Madrid", "Italy": "Rome", "Japan": "Tokyo"}
LOG = Path("asked.txt")


def good(text):
    return sum(word.strip(",.") in GOOD for word in text.lower().split())


def labels(texts):
    return ["positive" if good(text) else "negative" for text in texts]


def scores(texts):
    odds = [2.0 ** (4 * good(text) - 2) for text in texts]
    return [[1 / (1 + o), o / (1 + o)] for o in odds]


def breaking(texts):
    """Ends for good after so many texts, until it is repaired."""
    asked = len(LOG.read_text().splitlines()) if LOG.exists() else 0
    if asked > int(os.environ["BREAKS_AFTER"]):
        raise RuntimeError("device lost")
    with LOG.open("a") as file:
        file.writelines(text.replace("\\n", " ") + "\\n" for text in texts)
    return labels(texts)


def wavering(texts):
    """Every second question is answered wrongly, whatever it is."""
    wavering.asked = getattr(wavering, "asked", 0) + len(texts)
    right = labels(texts)
    return ["negative" if (wavering.asked + i) % 2 else label for i, label in enumerate(right)]


def capitals(texts):
    found = [[CAPITALS[w] for w in text.strip("?").split() if w in CAPITALS] for text in texts]
    return [names[0] if names else "unknown" for names in found]


def capitals_too(texts):
    return capitals(texts)
'''


@pytest.fixture
def victims(tmp_path: Path) -> str:
    (tmp_path / "victims_for_tests.py").write_text(VICTIMS, "utf-8")
    return "python:victims_for_tests"


def loaded(folder: Path, result: CompletedProcess[str]) -> RunRecord:
    assert result.returncode == 0, result.stderr
    return store.load(folder)


def small(data: Path | str, **more: object) -> list[object]:
    given = {"baseline": "bow", "limit": 40, "validity": "off", "attack-budget": 60, "out": "run"}
    given |= {name.replace("_", "-"): value for name, value in more.items()}
    return ["--dataset", data, *(part for k, v in given.items() for part in (f"--{k}", v))]


def test_a_model_that_breaks_in_an_attack_resumes_without_asking_anything_again(
    robust_eval: Run, victims: str, reviews: Path, tmp_path: Path
) -> None:
    model = f"{victims}:breaking"
    command = ["--model", model, "--model-version", 1, "--attack-model", model, *small(reviews, shift="deepwordbug")]  # fmt: skip
    broken = robust_eval(*command, BREAKS_AFTER="300")
    assert broken.returncode == 4
    assert "the same command resumes" in broken.stderr
    assert "device lost" in broken.stderr
    assert not (tmp_path / "run" / "report.html").exists()
    cut = (tmp_path / "asked.txt").read_text().splitlines()
    record = loaded(tmp_path / "run", robust_eval(*command, BREAKS_AFTER="100000"))
    asked = (tmp_path / "asked.txt").read_text().splitlines()
    assert asked[: len(cut)] == cut
    (tmp_path / "asked.txt").unlink()
    whole = [part if part != "run" else "whole" for part in command]
    again = loaded(tmp_path / "whole", robust_eval(*whole, "--cache-dir", tmp_path / "other", BREAKS_AFTER="100000"))  # fmt: skip
    assert sorted((tmp_path / "asked.txt").read_text().splitlines()) == sorted(asked)
    assert again.sets == record.sets
    assert again.attacks == record.attacks


def test_a_budget_of_nothing_is_refused(robust_eval: Run, reviews: Path) -> None:
    for option, value in (("attack-budget", 0), ("attack-limit", 0)):
        result = robust_eval("--model", "scripted:length", *small(reviews, shift="pruthi"), f"--{option}", value)  # fmt: skip
        assert result.returncode == 2
        assert f"--{option} must be at least 1, not 0" in result.stderr


@pytest.mark.parametrize("hides_scores", [True, False])
def test_odd_texts_are_attacked_or_left_and_nothing_is_lost(
    robust_eval: Run, victims: str, tmp_path: Path, hides_scores: bool
) -> None:
    odd = [
        "warm",
        "funny",
        "of the and",
        "not",
        "🎬🎬",
        "!!!",
        "warm 😀",
        "  sharp  ",
        "\u200bwarm",
    ]
    good = {"warm", "funny", "warm 😀", "  sharp  ", "\u200bwarm"}
    rows = [f'"{text}",{"positive" if text in good else "negative"}' for text in odd]
    (tmp_path / "odd.csv").write_text("\n".join(["text,label", *rows]) + "\n", "utf-8")
    rows = [f"a {'warm' if i % 2 else 'flat'} story no. {i},{'positive' if i % 2 else 'negative'}" for i in range(40)]  # fmt: skip
    (tmp_path / "train.csv").write_text("\n".join(["text,label", *rows]) + "\n", "utf-8")
    model = f"{victims}:{'labels' if hides_scores else 'scores'}"
    result = robust_eval(
        "--model", model, "--attack-model", model, *small("odd.csv", limit="all", train="train.csv"),
        "--shift", "deepwordbug", "--shift", "trigger-suffix", "--shots", 0,
    )  # fmt: skip
    record = loaded(tmp_path / "run", result)
    attacked = next(s for s in record.sets if s.shift == "deepwordbug")
    clean = {e.id: e.inputs["text"] for e in record.dataset.examples}
    outcomes = {
        clean[e.id].strip(): r.outcome
        for e, r in zip(attacked.examples, attacked.attacks, strict=True)
    }
    assert [outcomes[text] for text in ("of the and", "!!!", "🎬🎬", "not")] == ["failed"] * 4
    assert [outcomes[text] for text in ("warm", "funny", "warm 😀", "sharp")] == ["succeeded"] * 4
    assert all(example.inputs["text"].strip() for example in attacked.examples)


def test_labels_that_no_change_turns_are_said_to_hold(
    robust_eval: Run, reviews: Path, tmp_path: Path
) -> None:
    model = "scripted:constant?label=positive"
    result = robust_eval("--model", model, "--attack-model", model, *small(reviews, shift="deepwordbug"))  # fmt: skip
    record = loaded(tmp_path / "run", result)
    (figures,) = record.attacks
    assert (figures.succeeded, figures.attacked, figures.skipped) == (0, 20, 20)
    assert "found nothing that turns an answer" in (tmp_path / "run" / "report.md").read_text()


@pytest.mark.parametrize(
    ("shift", "remedy"),
    [
        ("pwws", "python -m nltk.downloader wordnet"),
        ("textfooler", "nltk.downloader averaged_perceptron_tagger_eng"),
    ],
)
def test_missing_language_data_end_a_run_before_its_first_query(
    robust_eval: Run, victims: str, reviews: Path, tmp_path: Path, shift: str, remedy: str
) -> None:
    command = ["--model", f"{victims}:breaking", *small(reviews, shift=shift)]
    result = robust_eval(*command, NLTK_DATA=str(tmp_path), BREAKS_AFTER="9999")
    assert result.returncode == 2, result.stderr
    assert result.stderr.count(remedy) == 1
    assert not (tmp_path / "asked.txt").exists()
    assert not (tmp_path / "run" / "report.html").exists()


def test_successes_that_a_wavering_model_does_not_repeat_are_flagged(
    robust_eval: Run, victims: str, reviews: Path, tmp_path: Path
) -> None:
    model = f"{victims}:wavering"
    result = robust_eval("--model", model, "--attack-model", model, *small(reviews, shift="pruthi"))
    record = loaded(tmp_path / "run", result)
    (figures,) = record.attacks
    assert figures.not_repeated > 0
    assert "it is not deterministic" in (tmp_path / "run" / "report.md").read_text()


def test_requests_that_fail_in_an_attack_are_counted_and_end_with_4(
    robust_eval: Run, reviews: Path, tmp_path: Path
) -> None:
    model = "scripted:flaky?share=0.2"
    result = robust_eval("--model", model, "--attack-model", model, *small(reviews, shift="pruthi"))
    assert result.returncode == 4
    record = store.load(tmp_path / "run")
    assert record.attacks[0].unanswered > 0
    assert record.attacks[0].succeeded == 0
    assert (tmp_path / "run" / "report.html").exists()


GOALS = """
[[attack]]
name = "to-negative"
goal = { name = "targeted", label = "negative" }
search = { name = "greedy", ranking = "delete" }
proposals = ["delete-character"]

[[attack]]
name = "shorter"
goal = "input-reduction"
search = { name = "greedy", ranking = "delete" }
proposals = ["delete-word"]
"""


def test_targeted_and_input_reduction_say_what_they_did(
    robust_eval: Run, victims: str, reviews: Path, tmp_path: Path
) -> None:
    (tmp_path / "goals.toml").write_text(GOALS, "utf-8")
    model = f"{victims}:scores"
    result = robust_eval("--model", model, "--attack-model", model, *small(reviews, shift="goals.toml"))  # fmt: skip
    record = loaded(tmp_path / "run", result)
    aimed, shorter = record.attacks
    assert 0 < aimed.attacked <= 20  # the negative ones need no attack
    assert aimed.succeeded == aimed.attacked
    assert shorter.keeps_answer
    assert shorter.succeeded == shorter.attacked
    assert shorter.not_repeated == 0
    assert shorter.flipped is not None
    assert shorter.flipped.value == 0.0
    assert shorter.by_budget == ()
    assert "were cut short with the same answer" in (tmp_path / "run" / "report.md").read_text()
    for target in ("run", "run/report.html"):
        assert robust_eval("verify", target).returncode == 0


def test_answers_in_words_are_attacked_until_they_are_worth_nothing(
    robust_eval: Run, victims: str, tmp_path: Path
) -> None:
    lines = ["question,answer"]
    capitals = {"France": "Paris", "Spain": "Madrid", "Italy": "Rome", "Japan": "Tokyo"}
    for i in range(40):
        country = list(capitals)[i % 4]
        lines.append(f"What is capital {i} of {country}?,{capitals[country]}")
    (tmp_path / "qa.csv").write_text("\n".join(lines) + "\n", "utf-8")
    model = f"{victims}:capitals"
    result = robust_eval(
        "--model", model, "--attack-model", model, "--task", "open-qa",
        *small("qa.csv", shift="deepwordbug", limit=16, baseline=f"{victims}:capitals_too"),
    )  # fmt: skip
    record = loaded(tmp_path / "run", result)
    assert record.attacks[0].succeeded == record.attacks[0].attacked == 16


@pytest.mark.parametrize(
    ("goal", "said"),
    [
        ('{ name = "targeted", label = "negtive" }', "did you mean 'negative'"),
        ('"score-drop"', "a task with labels takes 'untargeted'"),
    ],
)
def test_a_goal_that_does_not_fit_is_refused_before_anything_is_asked(
    robust_eval: Run, victims: str, reviews: Path, tmp_path: Path, goal: str, said: str
) -> None:
    (tmp_path / "mine.toml").write_text(
        f'[[attack]]\nname = "x"\ngoal = {goal}\nsearch = "greedy"\nproposals = ["delete-word"]\n'
    )
    result = robust_eval(
        "--model", f"{victims}:breaking", *small(reviews, shift="mine.toml"), BREAKS_AFTER="9999"
    )
    assert result.returncode == 2
    assert said in result.stderr
    assert not (tmp_path / "asked.txt").exists()


def test_an_attack_on_the_instruction_needs_one(robust_eval: Run, reviews: Path) -> None:
    result = robust_eval("--model", "scripted:length", *small(reviews, shift="prompt-attack:deepwordbug"))  # fmt: skip
    assert result.returncode == 2
    assert "none of the models to attack is told anything (scripted:length, bow)" in result.stderr
