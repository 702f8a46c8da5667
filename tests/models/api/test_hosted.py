"""Hosted models against a server on loopback: what is asked, what is read, and what ends a run."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from robust_eval.errors import InfrastructureError, ModelError
from robust_eval.models import load_model
from robust_eval.models.account import Account
from robust_eval.models.cache import PredictionCache
from robust_eval.models.context import ModelContext, PromptSettings
from robust_eval.models.limits import RequestLimits
from robust_eval.models.predict import Request, predict
from robust_eval.models.reasoning import SAMPLE_BREAK
from robust_eval.records import TASKS, Example, Prediction, Sampled, Status, TaskKind
from servers import FaultProxy, OpenAiServer

Reviews = Callable[..., tuple[Example, ...]]
Context = Callable[..., ModelContext]


@pytest.fixture
def server() -> Iterator[OpenAiServer]:
    with OpenAiServer() as running:
        yield running


def ask(
    context: ModelContext, examples: tuple[Example, ...], folder: Path, spec: str = "openai:grader"
) -> list[Prediction]:
    model = load_model(spec, "model", context)
    with PredictionCache.open(folder) as cache:
        return predict(model, [Request(example, "clean") for example in examples], cache)


def quick(**changes: object) -> Account:
    """Caps for tests: no wait is long."""
    return Account(RequestLimits(**{"retry_wait": 0.01, "timeout": 5.0, **changes}))  # type: ignore[arg-type]


# --- what is asked -------------------------------------------------------------------------------


def test_a_chat_prompt_is_an_instruction_turns_and_the_example(
    server: OpenAiServer, review_context: Context, reviews: Reviews, tmp_path: Path
) -> None:
    settings = PromptSettings(shots=2)
    context = review_context(base_url=server.address, prompt=settings, seed=3)
    ask(context, reviews(1), tmp_path)
    (body,) = server.bodies
    assert [turn["role"] for turn in body["messages"]] == [
        "system", "user", "assistant", "user", "assistant", "user",
    ]  # fmt: skip
    assert {turn["content"] for turn in body["messages"][2::2]} <= {"negative", "positive"}
    assert body["messages"][-1]["content"] == f"Review: {reviews(1)[0].inputs['text']}\nSentiment:"
    assert (body["temperature"], body["seed"], body["model"]) == (0, 3, "grader")


def test_a_completions_prompt_is_one_text_that_ends_before_the_answer(
    server: OpenAiServer, review_context: Context, reviews: Reviews, tmp_path: Path
) -> None:
    context = review_context(base_url=server.address, endpoint="completions")
    ask(context, reviews(1), tmp_path)
    assert server.bodies[-1]["prompt"].endswith(
        f"Review: {reviews(1)[0].inputs['text']}\nSentiment:"
    )
    assert server.bodies[-1]["prompt"].count("Sentiment:") == 5


# --- scores --------------------------------------------------------------------------------------


@pytest.mark.parametrize("echo", [False, True])
def test_label_log_likelihoods_are_those_of_the_server_by_echo_and_by_walking(
    echo: bool, review_context: Context, reviews: Reviews, tmp_path: Path
) -> None:
    with OpenAiServer(echo=echo) as server:
        context = review_context(base_url=server.address, endpoint="completions")
        answers = ask(context, reviews(4), tmp_path)
        asked = list(server.bodies)
        for example, answer in zip(reviews(4), answers, strict=True):
            text = f"Review: {example.inputs['text']}\nSentiment:"
            known = server.alternatives(text)
            assert answer.label_logprobs == pytest.approx((known[" negative"], known[" positive"]))
            assert answer.scores is not None
            assert math.fsum(map(math.exp, answer.scores)) == pytest.approx(1)
    # One request finds out that there is no echo, and only one.
    assert sum("echo" in body for body in asked) == (4 if echo else 1)
    assert len(asked) == (4 if echo else 5)


def test_chat_scores_are_the_shares_of_the_answers_opening(
    server: OpenAiServer, review_context: Context, reviews: Reviews, tmp_path: Path
) -> None:
    answers = ask(review_context(base_url=server.address), reviews(6), tmp_path)
    for example, answer in zip(reviews(6), answers, strict=True):
        known = server.alternatives(f"Review: {example.inputs['text']}\nSentiment:")
        assert answer.label_logprobs == pytest.approx((known[" negative"], known[" positive"]))
        assert answer.label == answer.raw
    assert len(server.bodies) == 6


@pytest.mark.parametrize("endpoint", ["chat", "completions"])
def test_without_log_probabilities_the_written_answer_is_parsed(
    endpoint: str, review_context: Context, reviews: Reviews, tmp_path: Path
) -> None:
    with OpenAiServer(logprobs=False) as server:
        context = review_context(base_url=server.address, endpoint=endpoint)
        answers = ask(context, reviews(6), tmp_path)
    assert {answer.label for answer in answers} == {"negative", "positive"}
    assert all(answer.scores is None and answer.raw for answer in answers)


@pytest.mark.parametrize("endpoint", ["chat", "completions"])
def test_parameters_that_a_server_refuses_are_left_out_once_and_for_all(
    endpoint: str, review_context: Context, reviews: Reviews, tmp_path: Path
) -> None:
    refused = frozenset({"temperature", "seed", "logprobs", "echo"})
    with OpenAiServer(refuses=refused) as server:
        context = review_context(base_url=server.address, endpoint=endpoint)
        answers = ask(context, reviews(12), tmp_path)
        accepted = [body for body in server.bodies if not refused & set(body)]
    assert all(answer.status is Status.OK for answer in answers)
    assert len(accepted) == 12
    assert len(server.bodies) - len(accepted) <= 6


# --- several samples -----------------------------------------------------------------------------


class Moody(OpenAiServer):
    """Answers by the seed: two of three are positive."""

    def alternatives(self, prompt: str) -> dict[str, float]:
        word = " positive" if self.bodies[-1]["seed"] % 3 else " negative"
        return {word: -0.1}


DRAWN = PromptSettings(shots=0, scoring="generate", temperature=0.7, samples=3)


@pytest.mark.parametrize("endpoint", ["chat", "completions"])
def test_each_sample_is_a_request_under_a_seed_of_its_own_and_their_answers_vote(
    endpoint: str, review_context: Context, reviews: Reviews, tmp_path: Path
) -> None:
    with Moody() as server, FaultProxy(server.port, 0.3) as lossy:
        context = review_context(
            base_url=lossy.address, endpoint=endpoint, prompt=DRAWN, account=quick(timeout=0.5)
        )
        answers = ask(context, reviews(10), tmp_path)
        asked = {(str(b.get("messages") or b["prompt"]), b["seed"]) for b in server.bodies}
    assert {answer.label for answer in answers} == {"positive"}
    assert {answer.agreement for answer in answers} == {2 / 3}
    assert all((answer.raw or "").count(SAMPLE_BREAK) == 2 for answer in answers)
    assert len(asked) == len(server.bodies) == 30
    assert {seed for _, seed in asked} == {0, 1, 2}
    assert {body["temperature"] for body in server.bodies} == {0.7}


def test_a_repeat_draws_other_samples(
    review_context: Context, reviews: Reviews, tmp_path: Path
) -> None:
    with Moody() as server:
        model = load_model(
            "openai:grader", "model", review_context(base_url=server.address, prompt=DRAWN)
        )
        assert isinstance(model, Sampled)
        with PredictionCache.open(tmp_path) as cache:
            for repeat in (0, 1):
                requests = [Request(example, "clean", repeat) for example in reviews(2)]
                predict(model.with_repeat(repeat), requests, cache)
    assert sorted(body["seed"] for body in server.bodies) == [0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5]


def test_samples_of_label_scores_are_refused_with_the_remedy(review_context: Context) -> None:
    settings = PromptSettings(temperature=0.7, samples=3)
    with pytest.raises(ModelError, match="add --scoring generate or --prompting cot"):
        load_model(
            "openai:grader", "model", review_context(base_url="http://127.0.0.1:9", prompt=settings)
        )


# --- trouble -------------------------------------------------------------------------------------


@pytest.mark.parametrize("endpoint", ["chat", "completions"])
def test_with_a_third_of_the_requests_lost_every_answer_is_the_same(
    endpoint: str, server: OpenAiServer, review_context: Context, reviews: Reviews, tmp_path: Path
) -> None:
    with FaultProxy(server.port, 0.0) as clean, FaultProxy(server.port, 0.3) as lossy:
        answers = {
            name: ask(
                review_context(
                    base_url=proxy.address, endpoint=endpoint, account=quick(timeout=0.5)
                ),
                reviews(120),
                tmp_path / name,
            )
            for name, proxy in (("clean", clean), ("lossy", lossy))
        }
    assert answers["lossy"] == answers["clean"]
    assert all(answer.status is Status.OK for answer in answers["lossy"])
    assert sum(lossy.lost.values()) >= 30
    assert len(lossy.lost) >= 8, "hardly any kind of fault was tried"


def test_a_request_that_no_attempt_answers_is_failed_and_asked_again_next_time(
    server: OpenAiServer, review_context: Context, reviews: Reviews, tmp_path: Path
) -> None:
    with FaultProxy(server.port, 0.3) as lossy:
        context = review_context(
            base_url=lossy.address, account=quick(retries=0, timeout=0.3, concurrency=1)
        )
        first = ask(context, reviews(20), tmp_path)
        asked = len(server.bodies)
        failed = [answer for answer in first if answer.status is Status.FAILED]
        assert failed
        assert all(answer.label is None and answer.raw for answer in failed)
        again = ask(context, reviews(20), tmp_path)
    assert len(server.bodies) - asked <= len(failed)
    assert [a for a in again if a.status is Status.OK] == [
        b for a, b in zip(again, first, strict=True) if a.status is Status.OK
    ] or len(server.bodies) > asked


@pytest.mark.parametrize("concurrency", [1, 8])
def test_many_failures_among_answers_never_end_a_run_that_retries_nothing(
    concurrency: int,
    server: OpenAiServer,
    review_context: Context,
    reviews: Reviews,
    tmp_path: Path,
) -> None:
    with FaultProxy(server.port, 0.6, seed=4) as lossy:
        account = quick(retries=0, timeout=0.3, concurrency=concurrency)
        answers = ask(
            review_context(base_url=lossy.address, account=account), reviews(80), tmp_path
        )
    statuses = "".join("x" if a.status is Status.FAILED else "." for a in answers)
    assert "xxxxx" in statuses, "too few in a row to tell"
    assert "." in statuses


@pytest.mark.parametrize(("retries", "requests"), [(0, 20), (10, 3)])
def test_a_server_that_goes_down_ends_the_run_soon_and_its_answers_are_kept(
    retries: int,
    requests: int,
    server: OpenAiServer,
    review_context: Context,
    reviews: Reviews,
    tmp_path: Path,
) -> None:
    with FaultProxy(server.port, 0.0) as proxy:
        account = quick(retries=retries, timeout=0.3, concurrency=1)
        context = review_context(base_url=proxy.address, account=account)
        ask(context, reviews(5), tmp_path)
        proxy.share = 1.0
        with pytest.raises(InfrastructureError, match=f"failed {requests} requests in a row"):
            ask(context, reviews(60), tmp_path)
        assert sum(proxy.lost.values()) == requests * (retries + 1)
        proxy.share = 0.0
        asked = len(server.bodies)
        assert ask(context, reviews(5), tmp_path)
    assert len(server.bodies) == asked


def test_no_server_at_all_is_one_clear_error_within_a_few_attempts(
    review_context: Context, reviews: Reviews, tmp_path: Path
) -> None:
    with OpenAiServer() as gone:
        address = gone.address
    with pytest.raises(InfrastructureError, match=r"cannot be reached.*start the server or mend"):
        ask(review_context(base_url=address, account=quick()), reviews(50), tmp_path)


def test_a_wrong_model_name_is_answered_with_the_nearest_one(
    server: OpenAiServer, review_context: Context, reviews: Reviews, tmp_path: Path
) -> None:
    context = review_context(base_url=server.address, account=quick())
    with pytest.raises(ModelError, match="did you mean 'grader'"):
        ask(context, reviews(5), tmp_path, "openai:grade")


def test_a_prompt_that_does_not_fit_is_cut_and_counted(
    review_context: Context, reviews: Reviews, tmp_path: Path
) -> None:
    short, long = reviews(2)
    long = Example("long", {"text": "a good film " * 500}, "positive", "long")
    with OpenAiServer(window=900) as server:
        context = review_context(
            base_url=server.address, endpoint="completions", account=quick(concurrency=1)
        )
        answers = ask(context, (short, long), tmp_path)
    assert [answer.input_truncated for answer in answers] == [False, True]
    assert all(answer.status is Status.OK for answer in answers)


@pytest.mark.parametrize("cap", [7, 30])
def test_max_requests_stops_in_time_and_the_next_run_goes_on(
    cap: int, server: OpenAiServer, review_context: Context, reviews: Reviews, tmp_path: Path
) -> None:
    context = review_context(base_url=server.address, account=quick(max_requests=cap))
    with pytest.raises(InfrastructureError, match=f"--max-requests {cap}"):
        ask(context, reviews(40), tmp_path)
    assert len(server.bodies) == cap
    answers = ask(review_context(base_url=server.address, account=quick()), reviews(40), tmp_path)
    assert len(answers) == 40
    assert len(server.bodies) == 40, "an answer that was paid for was asked for again"


def test_max_cost_is_never_passed(
    server: OpenAiServer, review_context: Context, reviews: Reviews, tmp_path: Path
) -> None:
    table = tmp_path / "prices.toml"
    table.write_text("date = 2026-11-01\n[models.grader]\nprompt = 100\ncompletion = 1000\n")
    account = quick(max_cost=0.25, prices=str(table))
    with pytest.raises(InfrastructureError, match=r"max-cost 0\.25"):
        ask(review_context(base_url=server.address, account=account), reviews(400), tmp_path)
    assert 0.15 < account.cost <= 0.25
    spent = sum(
        100e-6 * sum(len(t["content"].split()) for t in body["messages"]) + 1000e-6
        for body in server.bodies
    )
    assert account.cost == pytest.approx(spent, rel=0.05)


def test_a_cost_cap_without_a_price_is_refused(review_context: Context) -> None:
    context = review_context(base_url="http://127.0.0.1:9", account=quick(max_cost=1.0))
    with pytest.raises(ModelError, match="needs the price of 'grader'"):
        load_model("openai:grader", "model", context)


# --- identity ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "changes",
    [
        {"base_url": "http://127.0.0.1:2"},
        {"endpoint": "completions"},
        {"prompt": PromptSettings(shots=2)},
        {"prompt": PromptSettings(scoring="generate")},
        {"prompt": DRAWN},
        {"seed": 1},
        {"model_version": "2026-11"},
        {"task": TASKS[TaskKind.OPEN_QA], "labels": ()},
    ],
)
def test_what_can_change_an_answer_changes_the_fingerprint(
    changes: dict[str, object], review_context: Context
) -> None:
    base: dict[str, object] = {"base_url": "http://127.0.0.1:1", "prompt": PromptSettings(shots=0)}
    if "task" in changes:
        question = Example("q", {"question": "?"}, ("a",), "q")
        changes = {**changes, "demonstrations": (question,)}
    one = load_model("openai:grader", "model", review_context(**base))
    other = load_model("openai:grader", "model", review_context(**{**base, **changes}))
    assert one.card.fingerprint != other.card.fingerprint


def test_limits_and_keys_are_no_part_of_the_fingerprint(
    review_context: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = load_model("openai:grader", "model", review_context(base_url="http://127.0.0.1:1"))
    monkeypatch.setenv("OPENAI_API_KEY", "sk-other")
    context = review_context(base_url="http://127.0.0.1:1/v1/", account=quick(retries=2))
    assert load_model("openai:grader", "model", context).card == one.card
