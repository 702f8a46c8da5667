"""Label scores from what a server shows: walks, openings, echoes, and what is not shown."""

from __future__ import annotations

import asyncio
import math

import pytest

from robust_eval.models.api.faults import NotOffered, Transient
from robust_eval.models.api.scoring import opening, unseen, walk
from robust_eval.models.api.wire import Alternatives, echoed, replies, usage


def shown(**shares: float) -> Alternatives:
    """Alternatives by share; `_` stands for a space."""
    rows = [(t.replace("_", " ").encode(), math.log(p)) for t, p in shares.items()]
    return tuple(sorted(rows, key=lambda row: -row[1]))


def walked(
    answers: tuple[str, ...], tree: dict[str, Alternatives]
) -> tuple[list[tuple[float, int]] | None, list[str]]:
    asked: list[str] = []

    async def following(path: str) -> Alternatives:
        asked.append(path)
        return tree[path]

    return asyncio.run(walk(answers, following)), asked


def test_a_walk_sums_the_tokens_of_each_label_and_asks_once_for_what_labels_share() -> None:
    tree = {
        "": shown(_very=0.6, _neutral=0.3, _v=0.05),
        " very": shown(_good=0.7, _bad=0.2),
        " very bad": shown(ly=1.0),
    }
    found, asked = walked((" neutral", " very good", " very badly"), tree)
    assert found is not None
    assert [math.exp(total) for total, _ in found] == pytest.approx([0.3, 0.42, 0.12])
    assert [count for _, count in found] == [1, 2, 3]
    assert asked == ["", " very", " very bad"]


def test_the_longest_fitting_token_is_taken_as_tokenizers_do() -> None:
    found, asked = walked((" positive",), {"": shown(_positive=0.4, _p=0.3, _=0.2)})
    assert found == [(pytest.approx(math.log(0.4)), 1)]
    assert asked == [""]


def test_a_label_that_is_not_shown_gets_at_most_what_is_left() -> None:
    alternatives = shown(_positive=0.9, _so=0.06)
    found, _ = walked((" negative", " positive"), {"": alternatives})
    assert found is not None
    assert math.exp(found[0][0]) == pytest.approx(0.04)
    assert math.exp(unseen(shown(_a=0.5, _b=0.1))) == pytest.approx(0.1)


def test_a_shorter_beginning_that_is_shown_does_not_push_a_label_below_what_is_left() -> None:
    tree = {"": shown(_positive=0.9, _n=0.05, _so=0.01), " n": shown(o=0.99, egative=0.0001)}
    found, asked = walked((" negative", " positive"), tree)
    assert found is not None
    assert math.exp(found[0][0]) == pytest.approx(0.01)  # as one token it may have up to " so"
    assert found[0][1] == 1
    assert asked == ["", " n"]
    spelt = {"": shown(_positive=0.5, _neg=0.45, _so=0.01), " neg": shown(ative=0.9)}
    found, _ = walked((" negative",), spelt)
    assert found is not None
    assert (math.exp(found[0][0]), found[0][1]) == (pytest.approx(0.405), 2)


def test_nothing_is_known_when_no_label_is_shown() -> None:
    assert walked((" negative", " positive"), {"": shown(_The=0.9, _It=0.05)})[0] is None


def test_a_token_that_ends_inside_a_character_ends_the_walk() -> None:
    answer = " é"
    found, asked = walked((answer,), {"": ((answer.encode()[:2], math.log(0.5)),)})
    assert found == [(pytest.approx(math.log(0.5)), 1)]
    assert asked == [""]


# --- chat ----------------------------------------------------------------------------------------


def shares(
    words: tuple[str, ...], positions: list[Alternatives], written: list[str]
) -> list[float] | None:
    found = opening(words, positions, [token.encode() for token in written])
    return None if found is None else [math.exp(score) for score in found]


def test_spellings_that_differ_in_case_count_together() -> None:
    positions = [shown(Positive=0.5, positive=0.2, _negative=0.2, NEG=0.05)]
    assert shares(("negative", "positive"), positions, ["Positive"]) == pytest.approx([0.25, 0.7])


def test_quotes_and_emphasis_before_the_answer_are_passed_over() -> None:
    positions = [
        ((b"**", math.log(0.8)), (b"positive", math.log(0.2))),
        shown(negative=0.5, positive=0.4),
    ]
    found = shares(("negative", "positive"), positions, ["**", "negative"])
    assert found == pytest.approx([0.4, 0.32])


def test_labels_that_begin_alike_are_followed_to_where_they_part() -> None:
    positions = [shown(very=0.6, neutral=0.4), shown(_good=0.7, _bad=0.3)]
    words = ("neutral", "very bad", "very good")
    found = shares(words, positions, ["very", " good"])
    assert found == pytest.approx([0.4, 0.18, 0.42])


def test_an_answer_that_opens_otherwise_has_no_scores() -> None:
    positions = [shown(The=0.9, positive=0.1), shown(_answer=1.0)]
    assert shares(("negative", "positive"), positions, ["The", " answer"]) is None


def test_a_label_inside_a_longer_word_is_not_that_label() -> None:
    assert shares(("negative", "positive"), [shown(positively=1.0)], ["positively"]) is None


# --- echoes and hostile replies ------------------------------------------------------------------


def echo(
    whole: str, offsets: list[int], values: list[float | None], index: int = 0
) -> dict[str, object]:
    logprobs = {"text_offset": offsets, "token_logprobs": values}
    return {"index": index, "text": whole + " x", "logprobs": logprobs}


def test_an_echo_counts_the_tokens_after_the_prompt_and_none_that_was_written() -> None:
    body = {
        "choices": [
            echo("a: no", [0, 2, 5], [None, -1.0, -9.0]),
            echo("a: yes", [0, 2, 4, 6], [None, -0.5, -0.25, -9.0], 1),
        ]
    }
    assert echoed(body, ["a: no", "a: yes"], 2) == [(-1.0, 1), (-0.75, 2)]


def test_a_token_across_the_boundary_counts_for_every_label() -> None:
    body = {
        "choices": [
            echo("ab no", [0, 1, 3], [None, -1.0, -2.0]),
            echo("ab yes", [0, 1, 2], [None, -0.25, -0.5], 1),
        ]
    }
    assert echoed(body, ["ab no", "ab yes"], 2) == [(-3.0, 2), (-0.75, 2)]


@pytest.mark.parametrize(
    "choice",
    [
        {"index": 0, "text": " x", "logprobs": {"text_offset": [0], "token_logprobs": [-1.0]}},
        echo("a: no", [0, 2], [None, None]),
        echo("a: no", [2, 0], [None, -1.0]),
        echo("a: no", [0], [None, -1.0]),
        {"index": 0, "text": "a: no x", "logprobs": None},
    ],
)
def test_what_is_no_echo_is_not_taken_for_one(choice: dict[str, object]) -> None:
    with pytest.raises(NotOffered):
        echoed({"choices": [choice]}, ["a: no"], 2)


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"choices": None},
        {"choices": []},
        {"choices": ["x"]},
        {"choices": [{}]},
        {"choices": [{"text": 3}]},
        {"choices": [{"message": {"content": None}}]},
        {"choices": [{"message": {"content": ["x"]}}]},
    ],
)
def test_a_broken_reply_is_no_answer(body: dict[str, object]) -> None:
    with pytest.raises(Transient):
        replies(body)


def test_log_probabilities_that_are_none_are_left_out() -> None:
    rows = [
        {"token": "a", "logprob": -1.0},
        {"token": "b", "logprob": 3.0},
        {"token": "c", "logprob": float("nan")},
        {"token": "d", "logprob": "-1"},
        {"token": 5, "logprob": -1.0},
        "x",
    ]
    body = {"choices": [{"text": "a", "logprobs": {"content": [{"top_logprobs": rows}, 7]}}]}
    assert replies(body)[0].positions == (((b"a", -1.0),), ())


@pytest.mark.parametrize(
    ("stated", "expected"),
    [
        ({"prompt_tokens": 3, "completion_tokens": 1}, (3, 1)),
        ({"prompt_tokens": 3}, (3, 0)),
        ({"prompt_tokens": -3}, None),
        ({"prompt_tokens": True}, None),
        ({"prompt_tokens": 10**12}, None),
        ({"prompt_tokens": 1.5}, None),
        (None, None),
    ],
)
def test_a_usage_that_cannot_be_is_not_believed(
    stated: object, expected: tuple[int, int] | None
) -> None:
    assert usage({"usage": stated}) == expected
