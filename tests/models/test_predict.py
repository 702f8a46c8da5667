"""The loop over batches: order, deduplication, resuming, and what it refuses."""

from __future__ import annotations

import dataclasses
import signal
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from robust_eval.errors import ModelError
from robust_eval.models.cache import PredictionCache
from robust_eval.models.predict import Request, near_ties, predict
from robust_eval.records import Example, Job, Model, ModelCard, Prediction, Status

LABELS = ("negative", "positive")


def ask(text: str, name: str, set_key: str = "clean", repeat: int = 0) -> Request:
    return Request(Example(name, {"text": text}, "positive", name), set_key, repeat)


class Recorder:
    """A model that remembers which texts it was asked, in batches of `size`."""

    def __init__(
        self,
        *,
        deterministic: bool = True,
        size: int = 2,
        answer: Callable[[Example, int], Prediction] | None = None,
        lasting: bool = True,
    ) -> None:
        self.asked: list[tuple[str, ...]] = []
        self.planned: list[tuple[str, ...]] = []
        self.prepared = 0
        self.labels = LABELS
        self.lasting = lasting
        self._size = size
        self._answer = answer or (lambda e, n: Prediction(e.id, label="positive", raw=f"call {n}"))
        self.card = ModelCard("recorder", "recorder", "model", "scripted", "f", deterministic)

    def prepare(self, progress: object) -> None:
        self.prepared += 1

    def jobs(self, examples: Sequence[Example]) -> Iterator[Job]:
        self.planned.append(tuple(e.inputs["text"] for e in examples))
        for start in range(0, len(examples), self._size):
            part = examples[start : start + self._size]

            def answer(part: Sequence[Example] = part) -> list[Prediction]:
                self.asked.append(tuple(e.inputs["text"] for e in part))
                return [self._answer(e, len(self.asked)) for e in part]

            yield Job(tuple(range(start, start + len(part))), answer)


@pytest.fixture
def cache(tmp_path: Path) -> Iterator[PredictionCache]:
    with PredictionCache.open(tmp_path / "cache") as opened:
        yield opened


def test_answers_come_in_request_order_under_each_requests_own_id(cache: PredictionCache) -> None:
    texts = ["zebra", "ant", "mule", "ant", "bee"]
    answers = predict(
        Recorder(answer=lambda e, n: Prediction("x", label="positive", raw=e.inputs["text"])),
        [ask(text, f"e{i}") for i, text in enumerate(texts)],
        cache,
    )
    assert [(a.example_id, a.raw) for a in answers] == [(f"e{i}", t) for i, t in enumerate(texts)]


def test_a_deterministic_model_is_asked_once_for_each_exact_text(cache: PredictionCache) -> None:
    model = Recorder(size=10)
    predict(model, [ask("a", "1"), ask("a", "2"), ask("a ", "3"), ask("a", "1", "typos")], cache)
    assert model.asked == [("a ", "a")]
    assert cache.stored == 2


def test_other_models_are_asked_for_each_example_of_each_set(cache: PredictionCache) -> None:
    model = Recorder(deterministic=False, size=1)
    requests = [ask("a", "1"), ask("a", "2"), ask("a", "1", "typos")]
    answers = predict(model, requests, cache)
    assert len(model.asked) == 3
    assert len({a.raw for a in answers}) == 3
    assert predict(model, requests, cache) == answers
    assert len(model.asked) == 3


def test_repeats_are_samples_of_their_own(cache: PredictionCache) -> None:
    for deterministic in (False, True):
        model = Recorder(deterministic=deterministic, size=1)
        answers = predict(model, [ask("a", "1", repeat=n) for n in range(3)], cache)
        assert len({a.raw for a in answers}) == 3


def test_the_plan_does_not_depend_on_the_order_of_requests(cache: PredictionCache) -> None:
    requests = [ask(text, text) for text in ("c", "a", "d", "b")]
    one, two = Recorder(), Recorder()
    predict(one, requests, cache)
    with PredictionCache.open(cache.path.parent.with_name("other")) as other:
        predict(two, requests[::-1], other)
    assert one.asked == two.asked == [("a", "b"), ("c", "d")]


def test_a_warm_run_does_not_touch_the_model(cache: PredictionCache) -> None:
    requests = [ask("a", "1"), ask("b", "2"), ask("c", "3")]
    cold, warm = Recorder(), Recorder()
    assert predict(cold, requests, cache) == predict(warm, requests, cache)
    assert (cold.prepared, warm.prepared) == (1, 0)
    assert warm.planned == warm.asked == []


def test_whole_batches_are_skipped_and_broken_ones_computed_whole(cache: PredictionCache) -> None:
    predict(Recorder(), [ask(t, t) for t in "abc"], cache)
    model = Recorder()
    answers = predict(model, [ask(t, t) for t in "abcd"], cache)
    assert model.planned == [("a", "b", "c", "d")]
    assert model.asked == [("c", "d")]
    assert [a.raw for a in answers] == ["call 1", "call 1", "call 2", "call 1"]


def test_an_interruption_keeps_finished_batches(cache: PredictionCache) -> None:
    def stop(example: Example, call: int) -> Prediction:
        if example.inputs["text"] == "e":
            raise KeyboardInterrupt
        return Prediction(example.id, label="positive")

    requests = [ask(t, t) for t in "abcdef"]
    with pytest.raises(KeyboardInterrupt):
        predict(Recorder(answer=stop), requests, cache)
    model = Recorder()
    predict(model, requests, cache)
    assert model.asked == [("e", "f")]


def test_failed_requests_are_given_but_asked_again_next_time(cache: PredictionCache) -> None:
    def fail(example: Example, call: int) -> Prediction:
        status = Status.FAILED if example.inputs["text"] == "b" else Status.OK
        return Prediction(
            example.id, label=None if status is Status.FAILED else "positive", status=status
        )

    requests = [ask(t, t) for t in "abcd"]
    answers = predict(Recorder(answer=fail), requests, cache)
    assert [a.status for a in answers] == ["ok", "failed", "ok", "ok"]
    model = Recorder()
    answers = predict(model, requests, cache)
    assert model.asked == [("a", "b")]
    assert [a.status for a in answers] == ["ok"] * 4


def test_models_that_may_not_be_kept_are_asked_again_by_the_next_run(
    cache: PredictionCache,
) -> None:
    one = Recorder(lasting=False)
    predict(one, [ask("a", "1")], cache)
    predict(one, [ask("a", "1")], cache)
    assert len(one.asked) == 1
    with PredictionCache.open(cache.path.parent) as later:
        two = Recorder(lasting=False)
        predict(two, [ask("a", "1")], later)
    assert len(two.asked) == 1


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (Prediction("x", label="wonderful"), "'wonderful' is not among"),
        (Prediction("x", label="positive", scores=(-1.0,)), "1 scores for 2 labels"),
        (Prediction("x", label="positive", scores=(float("nan"), -1.0)), "not numbers"),
        (Prediction("x"), "without label and text"),
    ],
)
def test_impossible_answers_are_errors_and_not_kept(
    cache: PredictionCache, answer: Prediction, says: str
) -> None:
    with pytest.raises(ModelError, match=says):
        predict(Recorder(answer=lambda e, n: answer), [ask("a", "1")], cache)
    assert cache.stored == 0


def test_a_wrong_number_of_answers_is_an_error(cache: PredictionCache) -> None:
    class Short(Recorder):
        def jobs(self, examples: Sequence[Example]) -> Iterator[Job]:
            yield Job(tuple(range(len(examples))), list)

    class Partial(Recorder):
        def jobs(self, examples: Sequence[Example]) -> Iterator[Job]:
            yield Job((0,), lambda: [Prediction("x", label="positive")])

    requests = [ask("a", "1"), ask("b", "2")]
    with pytest.raises(ModelError, match="0 answers for 2 inputs"):
        predict(Short(), requests, cache)
    with pytest.raises(ModelError, match="no answer for 1 of 2"):
        predict(Partial(), requests, cache)


def test_no_requests_give_no_answers(cache: PredictionCache) -> None:
    model = Recorder()
    assert predict(model, [], cache) == []
    assert model.planned == []


def test_progress_counts_what_is_computed(cache: PredictionCache) -> None:
    seen: list[int] = []

    @contextmanager
    def progress(what: str, total: int) -> Iterator[Callable[[int], None]]:
        seen.append(total)
        yield lambda steps: seen.append(-steps)

    predict(Recorder(), [ask(t, t) for t in "ab"], cache)
    predict(Recorder(), [ask(t, t) for t in "abcde"], cache, progress=progress)
    assert seen[0] == 3 == -sum(seen[1:])


def test_the_recorder_is_a_model() -> None:
    assert isinstance(Recorder(), Model)


def test_near_ties_are_counted_between_the_two_best() -> None:
    scores = [(-0.7, -0.7005), (-0.7, -0.702), (-1.0, -1.0001, -0.1), None, (0.0,)]
    assert near_ties([Prediction("x", "a", scores=s) for s in scores]) == 1


KILLED = textwrap.dedent(
    """
    import os, signal, sys
    from pathlib import Path
    from robust_eval.models import load_model
    from robust_eval.models.answers import encode
    from robust_eval.models.cache import PredictionCache
    from robust_eval.models.context import ModelContext
    from robust_eval.models.predict import Request, predict
    from robust_eval.records import TASKS, Example, TaskKind
    folder, spec, after = sys.argv[1:]
    context = ModelContext(TASKS[TaskKind.CLASSIFICATION], ("a", "b"), (), (), (), 0, Path(folder))
    model = load_model(spec, "model", context)
    requests = [
        Request(Example(f"e{i}", {"text": f"text {i}" * (1 + i % 5)}, "ab"[i % 2], f"e{i}"), "clean")
        for i in range(120)
    ]
    jobs = model.jobs
    def spoken(examples):
        for number, job in enumerate(jobs(examples), 1):
            if number == int(after):
                os.kill(os.getpid(), signal.SIGKILL)
            yield job
    model.jobs = spoken
    with PredictionCache.open(Path(folder)) as cache:
        answers = predict(model, requests, cache)
        print("computed", cache.stored)
    for answer in answers:
        print("answer", answer.example_id, encode(answer))
    """
)


def run_killed(folder: Path, spec: str, after: int | None) -> tuple[list[str], int]:
    """The answers of a run, and how many it computed; killed when so many batches were planned."""
    done = subprocess.run(
        [sys.executable, "-c", KILLED, str(folder), spec, str(after or 0)],
        stdout=subprocess.PIPE,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == (-signal.SIGKILL if after else 0)
    lines = done.stdout.splitlines()
    computed = [int(line.split()[1]) for line in lines if line.startswith("computed")]
    return [line for line in lines if line.startswith("answer")], sum(computed)


def test_a_run_killed_at_any_batch_resumes_to_the_same_bytes(tmp_path: Path) -> None:
    spec = "scripted:noisy?accuracy=0.7&batch=7"
    whole, computed = run_killed(tmp_path / "whole", spec, None)
    assert (len(whole), computed) == (120, 120)
    left = 120
    for after in (2, 5, 9):
        run_killed(tmp_path / "killed", spec, after)
    resumed, left = run_killed(tmp_path / "killed", spec, None)
    assert resumed == whole
    assert 0 < left < 120


def test_a_prediction_keeps_nothing_of_another_requests_id(cache: PredictionCache) -> None:
    first = predict(Recorder(), [ask("a", "1")], cache)
    second = predict(Recorder(), [ask("a", "2")], cache)
    assert dataclasses.replace(first[0], example_id="2") == second[0]
