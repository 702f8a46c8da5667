"""`lora:` and `full:`: the prompted model itself, trained on the scores that prompting reads."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("peft")

from robust_eval.errors import ModelError  # noqa: E402
from robust_eval.models import load_model  # noqa: E402
from robust_eval.models.context import ModelContext, PromptSettings, TrainingSettings  # noqa: E402
from robust_eval.models.groups import Curves, load_groups  # noqa: E402
from robust_eval.models.memory import shares  # noqa: E402
from robust_eval.plan import plan  # noqa: E402
from robust_eval.presets import PRESETS  # noqa: E402
from robust_eval.records import TASKS, Example, Prediction, TaskKind, silent  # noqa: E402
from robust_eval.settings import Output, Settings  # noqa: E402

LABELS = ("bad", "good")
SETTINGS = TrainingSettings(epochs=6, learning_rate=1e-2, batch_size=8, patience=6)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A random Llama of two layers with a byte-level tokenizer."""
    import transformers
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

    place = tmp_path_factory.mktemp("base") / "tiny-llama"
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=330,
        special_tokens=["<s>", "</s>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator([" the film was Review: Sentiment: good bad"] * 4, trainer)
    transformers.PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, bos_token="<s>", eos_token="</s>"
    ).save_pretrained(place)
    with torch.random.fork_rng():
        torch.manual_seed(3)
        config = transformers.LlamaConfig(
            vocab_size=tokenizer.get_vocab_size(),
            hidden_size=32,
            intermediate_size=64,
            num_hidden_layers=2,
            num_attention_heads=2,
            num_key_value_heads=1,
            max_position_embeddings=256,
            bos_token_id=0,
            eos_token_id=1,
        )
        transformers.LlamaForCausalLM(config).save_pretrained(place)
    return place


def films(count: int, start: int = 0) -> tuple[Example, ...]:
    """One word decides: "great" or "awful"."""
    made = []
    for i in range(start, start + count):
        word, label = (("great", "good"), ("awful", "bad"))[i % 2]
        made.append(Example(f"f{i}", {"text": f"{word} film {i % 7}"}, label, f"f{i}"))
    return tuple(made)


def context(cache: Path, **changes: Any) -> ModelContext:
    fields: dict[str, Any] = {
        "task": TASKS[TaskKind.CLASSIFICATION],
        "labels": LABELS,
        "train": films(48),
        "dev": films(12, 500),
        "demonstrations": films(8, 700),
        "seed": 0,
        "cache_dir": cache,
        "prompt": PromptSettings(shots=4),
        "training": SETTINGS,
        "device": "cpu",
        "offline": True,
    }
    return ModelContext(**{**fields, **changes})


def ask(model: Any, examples: tuple[Example, ...]) -> list[Prediction]:
    found: list[Prediction | None] = [None] * len(examples)
    for job in model.jobs(examples):
        for i, answer in zip(job.indices, job.answer(), strict=True):
            found[i] = answer
    assert all(found)
    return found  # type: ignore[return-value]


@pytest.mark.parametrize("method", ["lora", "full"])
def test_the_prompted_model_learns_its_labels(folder: Path, tmp_path: Path, method: str) -> None:
    model = load_model(f"{method}:{folder}", "baseline", context(tmp_path))
    card = model.card
    assert (card.kind, card.name) == ("fine-tuned", f"{method}:{folder}")
    assert "shots" not in card.details
    test = films(24, 900)
    right = sum(a.label == e.target for a, e in zip(ask(model, test), test, strict=True))
    assert right >= 22
    training = model.card.details["training"]
    whole = training["parameters_trained"] == training["parameters"]
    assert whole == (method == "full")
    # Read back from its checkpoint, merged, it answers alike.
    again = load_model(f"{method}:{folder}", "baseline", context(tmp_path))
    assert ask(again, test) == ask(model, test)


def test_before_training_the_scores_are_those_of_the_zero_shot_prompt(
    folder: Path, tmp_path: Path
) -> None:
    """Labels of several tokens that share a beginning, some a beginning of another."""
    from robust_eval.models.adapted import _learner
    from robust_eval.models.training import seeded

    words = (("bad", "good film"), ("fair", "good"), ("good", "great film was"))
    prompt = PromptSettings(shots=0, label_words=words)
    labels = ("bad", "fair", "good")
    train = tuple(Example(f"t{i}", {"text": f"film {i}"}, labels[i % 3], f"t{i}") for i in range(9))
    with_words = context(tmp_path, labels=labels, prompt=prompt, train=train, dev=())
    prompted = load_model(f"hf:{folder}", "model", with_words)
    model: Any = load_model(f"lora:{folder}", "baseline", with_words)
    with seeded(0):
        learner: Any = _learner(model._inner, model._plan)
        sums = learner._scores(learner._questions).detach()
    for row, answer in zip(sums.tolist(), ask(prompted, train), strict=True):
        assert row == pytest.approx(answer.label_logprobs, abs=1e-4)


def test_training_is_in_the_fingerprint_and_demonstrations_are_not(
    folder: Path, tmp_path: Path
) -> None:
    def fingerprint(method: str = "lora", **changes: Any) -> str:
        return load_model(
            f"{method}:{folder}", "baseline", context(tmp_path, **changes)
        ).card.fingerprint

    same = fingerprint()
    assert same == fingerprint(prompt=PromptSettings(shots=0), demonstrations=())
    other = [
        fingerprint("full"),
        fingerprint(seed=1),
        fingerprint(train=films(40)),
        fingerprint(prompt=PromptSettings(label_words=(("bad", "awful"),))),
        fingerprint(training=TrainingSettings(epochs=2)),
    ]
    assert len({same, *other}) == len(other) + 1


def test_a_checkpoint_of_adapters_is_small(folder: Path, tmp_path: Path) -> None:
    few = TrainingSettings(epochs=1, learning_rate=1e-3, batch_size=16)
    sizes = {}
    for method in ("lora", "full"):
        cache = tmp_path / method
        model: Any = load_model(f"{method}:{folder}", "baseline", context(cache, training=few))
        model.prepare(silent)
        (made,) = (cache / "checkpoints").iterdir()
        sizes[method] = (made / "model.safetensors").stat().st_size
        assert json.loads((made / "training.json").read_text())["result"]["epochs_run"] == 1
    assert sizes["lora"] < sizes["full"]


def test_draws_share_their_weights_and_what_is_trained_has_its_own(
    folder: Path, tmp_path: Path
) -> None:
    few = TrainingSettings(epochs=1, learning_rate=1e-3, batch_size=16)
    asked_of = context(tmp_path, training=few, prompt=PromptSettings(shots=2))
    curves = Curves(seeds=2, draws=2, shots=(0, 2))
    zero, two, tuned = load_groups((f"hf:{folder}",), (f"lora:{folder}",), asked_of, curves)
    prompted = [*zero.members, *two.members]
    assert all(shares(prompted[0], other) for other in prompted)
    one, other = tuned.members
    assert not any(shares(a, b) for a, b in ((prompted[0], one), (one, other)))
    test = films(6, 900)
    before = ask(prompted[0], test)
    trained = ask(one, test)
    assert ask(prompted[0], test) == before  # training has not touched what is prompted
    for model in (prompted[0], one):
        model.release()
        assert model.holds().network is None
    assert ask(prompted[1], test) == ask(load_model(f"hf:{folder}", "model", asked_of), test)
    assert ask(one, test) == trained


@pytest.mark.parametrize("method", ["lora", "full"])
def test_checkpointed_activations_train_the_same(folder: Path, tmp_path: Path, method: str) -> None:
    """Below frozen weights no input asks for a gradient, which checkpointing can be tripped up by."""
    answers = []
    for switch in ("on", "off"):
        settings = replace(SETTINGS, epochs=2, gradient_checkpointing=switch)
        made = context(tmp_path / switch, training=settings)
        model = load_model(f"{method}:{folder}", "baseline", made)
        answers.append([a.label_logprobs for a in ask(model, films(12, 900))])
        assert model.card.details["training"]["gradient_checkpointing"] is (switch == "on")
    for one, other in zip(*answers, strict=True):
        assert one == pytest.approx(other, abs=1e-4)
    untrained = load_model(
        f"hf:{folder}", "model", context(tmp_path, prompt=PromptSettings(shots=0))
    )
    before = ask(untrained, films(12, 900))[0].label_logprobs
    assert answers[0][0] != pytest.approx(before, abs=1e-2)


def test_a_plan_counts_as_tests_what_equal_budgets_compare(folder: Path, tmp_path: Path) -> None:
    rows = [{"text": f"{e.inputs['text']} no. {e.id}", "label": e.target} for e in films(200)]
    data = tmp_path / "films.jsonl"
    data.write_text("\n".join(map(json.dumps, rows)), "utf-8")
    model = f"hf:{folder}"
    settings = Settings(
        models=(model,),
        baselines=PRESETS["head-to-head"].baselines((model,)),
        dataset=str(data),
        shifts=("keyboard-typos@1,3", "word-drops@3"),
        limit=20,
        train_size=32,
        train_sizes=(4, 32),
        shots=4,
        shot_counts=(0, 4),
        seeds=2,
        draws=2,
        equal_budgets=True,
        validity="off",
    )
    found = plan(settings, Output(cache_dir=str(tmp_path / "cache")))
    assert len(found.asked) == 1 + 2 + 2 * 2 * 2  # prompts and draws; methods, sizes and seeds
    # 4 demonstrations meet 4 and all examples of either method, under two shifts.
    assert found.tests == 2 * 2 * 2
    every = plan(replace(settings, equal_budgets=False), Output(cache_dir=str(tmp_path / "cache")))
    assert every.tests == 2 * 4 * 2


@pytest.mark.parametrize(
    ("spec", "changes", "says"),
    [
        ("lora:demo:minilm", {}, "'demo:minilm' is no local language model"),
        ("full:openai:gpt", {}, "is no local language model"),
        (
            "lora:FOLDER",
            {"task": TASKS[TaskKind.MATH]},
            "scores labels and cannot answer the task math",
        ),
        ("full:FOLDER", {"prompt": PromptSettings(scoring="generate")}, "--scoring labels only"),
        ("full:FOLDER", {"train": ()}, "nothing to be trained on"),
        ("lora:./nowhere", {}, "does not exist"),
    ],
)
def test_what_cannot_be_adapted_is_refused_at_once(
    folder: Path, tmp_path: Path, spec: str, changes: dict[str, Any], says: str
) -> None:
    with pytest.raises(ModelError) as caught:
        load_model(spec.replace("FOLDER", str(folder)), "baseline", context(tmp_path, **changes))
    assert says in str(caught.value)
