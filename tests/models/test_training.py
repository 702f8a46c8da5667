"""The training loop's promises: resumed bytes, depth, unequal classes, memory, precision, long texts."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from robust_eval.errors import ModelError
from robust_eval.models import load_model
from robust_eval.models.context import ModelContext, TrainingSettings
from robust_eval.records import TASKS, Example, TaskKind, silent

from .conftest import film_reviews

Context = Callable[..., ModelContext]


def train(base: Path, context: ModelContext) -> dict[str, object]:
    """The checkpoint's record: the hash of its weights and the training's result."""
    load_model(f"ft:{base}", "baseline", context).prepare(silent)  # type: ignore[attr-defined]
    (folder,) = (context.cache_dir / "checkpoints").iterdir()
    record: dict[str, object] = json.loads((folder / "training.json").read_text())
    return record


def stopped_after(steps: int) -> object:
    """Progress that ends the process's work after so many steps of this training."""

    @contextmanager
    def progress(what: str, total: int) -> Iterator[Callable[[int], None]]:
        done = -1  # the first call says where it resumes

        def advance(n: int) -> None:
            nonlocal done
            done += 1
            if done > steps:
                raise KeyboardInterrupt

        yield advance

    return progress


@pytest.mark.parametrize("steps", [3, 8, 13])  # eight in an epoch
def test_a_killed_training_goes_on_to_the_same_bytes(
    tiny_encoder: Path,
    review_context: Context,
    tmp_path: Path,
    steps: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from robust_eval.models import training

    monkeypatch.setattr(training, "SAVE_EVERY", 0.0)
    monkeypatch.setattr(training, "SAVING_COSTS", 0.0)  # at every step
    settings = TrainingSettings(epochs=3, learning_rate=5e-3, batch_size=8)
    whole = train(tiny_encoder, review_context(cache_dir=tmp_path / "whole", training=settings))
    context = review_context(cache_dir=tmp_path / "killed", training=settings)
    model = load_model(f"ft:{tiny_encoder}", "baseline", context)
    with pytest.raises(KeyboardInterrupt):
        model.prepare(stopped_after(steps))  # type: ignore[attr-defined]
    (left,) = (context.cache_dir / "checkpoints").iterdir()
    assert left.name.endswith(".unfinished")
    seen: list[int] = []

    @contextmanager
    def progress(what: str, total: int) -> Iterator[Callable[[int], None]]:
        yield seen.append

    again = load_model(f"ft:{tiny_encoder}", "baseline", context)
    again.prepare(progress)  # type: ignore[attr-defined]
    assert seen[0] >= steps - 1  # of 24: it did not start anew
    (folder,) = (context.cache_dir / "checkpoints").iterdir()
    assert json.loads((folder / "training.json").read_text()) == whole


@pytest.mark.parametrize("left", [b"", b"\x08\0\0\0\0\0\0\0{}      ", b"x" * 5000])
def test_a_damaged_state_is_not_gone_on_with(
    tiny_encoder: Path, review_context: Context, tmp_path: Path, left: bytes
) -> None:
    settings = TrainingSettings(epochs=1, learning_rate=5e-3, batch_size=8)
    whole = train(tiny_encoder, review_context(cache_dir=tmp_path / "whole", training=settings))
    context = review_context(cache_dir=tmp_path / "other", training=settings)
    (found,) = (tmp_path / "whole" / "checkpoints").iterdir()
    state = context.cache_dir / "checkpoints" / f"{found.name}.unfinished" / "state.safetensors"
    state.parent.mkdir(parents=True)
    state.write_bytes(left)
    assert train(tiny_encoder, context) == whole


def test_lower_layers_learn_slower_and_norms_do_not_decay(tiny_encoder: Path) -> None:
    from robust_eval.models.classifier import Classifier
    from robust_eval.models.learners import parameter_groups

    network = Classifier.fresh(tiny_encoder, "cpu", ("a", "b")).network
    names = {id(p): name for name, p in network.named_parameters()}
    rate, decay = {}, {}
    for group in parameter_groups(network, 1.0, 0.5, 0.01):
        for parameter in group["params"]:
            rate[names[id(parameter)]] = group["lr"]
            decay[names[id(parameter)]] = group["weight_decay"]
    assert set(rate) == set(names.values())
    assert rate["classifier.weight"] == rate["bert.pooler.dense.weight"] == 1.0
    assert rate["bert.encoder.layer.1.output.dense.weight"] == 0.5
    assert rate["bert.encoder.layer.0.output.dense.weight"] == 0.25
    assert rate["bert.embeddings.word_embeddings.weight"] == 0.125
    assert decay["classifier.weight"] == 0.01
    assert decay["classifier.bias"] == decay["bert.embeddings.LayerNorm.weight"] == 0.0


def test_few_examples_get_small_batches_and_more_epochs() -> None:
    auto = TrainingSettings()
    shapes = [
        (r.batch_size, r.epochs)
        for r in (auto.resolved("encoder", n) for n in (4, 16, 128, 512, 1800, 100_000))
    ]
    assert shapes == [(8, 20), (8, 20), (8, 10), (16, 5), (32, 3), (32, 3)]
    assert auto.resolved("lora", 16).layer_decay == 1.0
    assert TrainingSettings(epochs=7, batch_size=2).resolved("full", 16).epochs == 7


def test_unequal_classes_count_alike(
    tiny_encoder: Path, review_context: Context, tmp_path: Path
) -> None:
    many = review_context().train
    few = [e for e in many if e.target == "negative"][:4]
    train_part = (*few, *(e for e in many if e.target == "positive"))
    settings = TrainingSettings(epochs=4, learning_rate=1e-3, batch_size=4)
    shares = {}
    for weights in ("auto", "off"):
        context = review_context(
            train=train_part,
            dev=(),
            training=replace(settings, class_weights=weights),
            cache_dir=tmp_path / weights,
        )
        model = load_model(f"ft:{tiny_encoder}", "baseline", context)
        asked = review_context().train[:32]
        answers = [a for job in model.jobs(asked) for a in job.answer()]
        shares[weights] = sum(math.exp(a.scores[1]) for a in answers if a.scores) / 32
    # Unweighted, eight positive ones for each negative push everything to positive.
    assert shares["off"] > shares["auto"] + 0.1


def test_when_memory_runs_out_activations_and_then_batches_are_made_smaller(
    tiny_encoder: Path,
    review_context: Context,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    import torch

    from robust_eval.models.learners import ClassifierLearner

    settings = TrainingSettings(epochs=1, learning_rate=1e-3, batch_size=8)
    plain = train(tiny_encoder, review_context(cache_dir=tmp_path / "plain", training=settings))
    real = ClassifierLearner.loss

    def short(self: ClassifierLearner, items: list[int]) -> torch.Tensor:
        if len(items) > 4:
            raise torch.OutOfMemoryError("no room")
        return real(self, items)

    monkeypatch.setattr(ClassifierLearner, "loss", short)
    context = review_context(cache_dir=tmp_path / "short", training=settings)
    result = train(tiny_encoder, context)["result"]
    assert isinstance(result, dict)
    assert result["gradient_checkpointing"] is True
    assert result["parts_of_a_batch"] == 2
    before = plain["result"]
    assert isinstance(before, dict)
    close = pytest.approx(before["history"][0]["train_loss"], abs=0.1)  # other dropout, same sums
    assert result["history"][0]["train_loss"] == close
    off = replace(settings, gradient_checkpointing="off")
    with pytest.raises(ModelError, match="lower --train-batch-size"):
        train(tiny_encoder, review_context(cache_dir=tmp_path / "off", training=off))


def test_mixed_precision_trains_float32_weights(
    tiny_encoder: Path, review_context: Context, tmp_path: Path
) -> None:
    from safetensors.torch import load_file

    settings = TrainingSettings(epochs=4, learning_rate=5e-3, batch_size=8, mixed_precision="on")
    record = train(tiny_encoder, review_context(training=settings))
    result = record["result"]
    assert isinstance(result, dict)
    assert result["dev_score"] >= 0.9
    (folder,) = (tmp_path / "cache" / "checkpoints").iterdir()
    kinds = {str(t.dtype) for t in load_file(folder / "model.safetensors").values()}
    assert kinds == {"torch.float32"}


def test_a_long_text_is_read_where_the_policy_says(
    tiny_encoder: Path, review_context: Context
) -> None:
    from robust_eval.models.classifier import Classifier

    reader = Classifier.fresh(tiny_encoder, "cpu", ("a", "b"))
    words = ["good", *["the", "film"] * 20, "bad"]
    text = Example("e", {"text": " ".join(words)}, "a", "e")
    short = Example("s", {"text": "good film"}, "a", "s")
    task = TASKS[TaskKind.CLASSIFICATION]
    good, bad = reader.tokenizer.convert_tokens_to_ids(["good", "bad"])
    seen = {}
    for policy in ("head", "tail", "head-tail"):
        tokens = reader.tokenise([text, short], task, 10, policy)
        assert tokens.truncated == (True, False)
        ids = tokens.inputs[0]["input_ids"]
        assert len(ids) == 10
        seen[policy] = (good in ids, bad in ids)
        assert len(tokens.inputs[1]["input_ids"]) == 4
    assert seen == {"head": (True, False), "tail": (False, True), "head-tail": (True, True)}
    hostile = Example("h", {"text": "film " * 100_000 + "bad"}, "a", "h")
    assert bad in reader.tokenise([hostile], task, 10, "tail").inputs[0]["input_ids"]


def save_tiny_roberta(folder: Path) -> Path:
    """A random RoBERTa with a byte-level BPE, saved as `roberta-base` is."""
    import torch
    from tokenizers import ByteLevelBPETokenizer
    from tokenizers.processors import RobertaProcessing
    from transformers import PreTrainedTokenizerFast, RobertaConfig, RobertaModel

    special = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]
    trained = ByteLevelBPETokenizer()
    texts = ["the film was good", "a bad plot", "great and lovely", "awful dull poor fine"]
    trained.train_from_iterator(texts, vocab_size=320, special_tokens=special, show_progress=False)
    trained._tokenizer.post_processor = RobertaProcessing(("</s>", 2), ("<s>", 0))
    with torch.random.fork_rng():
        torch.manual_seed(0)
        config = RobertaConfig(
            vocab_size=trained.get_vocab_size(),
            hidden_size=32,
            num_hidden_layers=2,
            num_attention_heads=2,
            intermediate_size=64,
            max_position_embeddings=66,
            type_vocab_size=1,
        )
        RobertaModel(config).save_pretrained(folder)
    names = dict(zip(("bos", "pad", "eos", "unk", "mask"), special, strict=True))
    PreTrainedTokenizerFast(
        tokenizer_object=trained._tokenizer,
        model_max_length=64,
        cls_token="<s>",
        sep_token="</s>",
        **{f"{name}_token": token for name, token in names.items()},
    ).save_pretrained(folder)
    return folder


def test_a_roberta_folder_goes_through_the_same_code(
    review_context: Context, tmp_path: Path
) -> None:
    base = save_tiny_roberta(tmp_path / "tiny-roberta")
    settings = TrainingSettings(epochs=15, learning_rate=2e-3, batch_size=8, patience=15)
    context = review_context(training=settings, train=film_reviews(160))
    model = load_model(f"ft:{base}", "baseline", context)
    asked = context.dev
    right = sum(
        answer.label == asked[i].target
        for job in model.jobs(asked)
        for i, answer in zip(job.indices, job.answer(), strict=True)
    )
    assert right >= 14
    assert model.card.details["architecture"] == "roberta"
    long = Example("l", {"text": "good film " * 200}, "positive", "l")
    (job,) = model.jobs([long])
    assert job.answer()[0].input_truncated  # two positions are RoBERTa's own: no index error
