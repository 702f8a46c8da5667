"""Scores with a shared prefix equal those of plain full-prompt passes, whatever the architecture."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

import pytest

torch = pytest.importorskip("torch")
import transformers  # noqa: E402

from robust_eval.models.label_scores import (  # noqa: E402
    Question,
    common_prefix,
    label_logprobs,
    question,
)
from robust_eval.models.placement import Placement  # noqa: E402
from robust_eval.models.prefix import Network, can_spread, select, spread  # noqa: E402

VOCABULARY = 97
TOLERANCE = 1e-3  # in log-probability: what the design promises
SIZES: dict[str, Any] = {
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 3,
    "num_attention_heads": 2,
    "num_key_value_heads": 1,
    "vocab_size": VOCABULARY,
    "max_position_embeddings": 2048,
    "pad_token_id": 0,
    "bos_token_id": 2,
    "eos_token_id": 1,
}


def tiny_model(kind: str, window: int = 16) -> Any:
    torch.manual_seed(7)
    if kind == "gemma3":
        config = transformers.Gemma3TextConfig(
            **SIZES,
            head_dim=16,
            sliding_window=window,
            layer_types=["sliding_attention", "full_attention", "sliding_attention"],
            final_logit_softcapping=5.0,
        )
        return transformers.Gemma3ForCausalLM(config)
    if kind == "mistral":
        return transformers.MistralForCausalLM(
            transformers.MistralConfig(**SIZES, sliding_window=window)
        )
    if kind == "llama":
        return transformers.LlamaForCausalLM(transformers.LlamaConfig(**SIZES))
    if kind == "gpt2":
        return transformers.GPT2LMHeadModel(
            transformers.GPT2Config(
                n_embd=32, n_layer=2, n_head=2, vocab_size=VOCABULARY, n_positions=2048
            )
        )
    if kind == "cohere":
        return transformers.CohereForCausalLM(transformers.CohereConfig(**SIZES, logit_scale=0.3))
    if kind == "mamba":
        return transformers.MambaForCausalLM(
            transformers.MambaConfig(
                hidden_size=32, num_hidden_layers=2, vocab_size=VOCABULARY, state_size=4
            )
        )
    raise ValueError(kind)


def sharpened(model: Any) -> Any:
    """Random weights are nearly uniform: larger ones make a wrong position show."""
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if weight.dim() == 2 and "embed" not in name and "wte" not in name:
                weight.mul_(4.0)
    return model.eval()


def network(kind: str, window: int = 16) -> Network:
    return Network(sharpened(tiny_model(kind, window)), Placement("cpu", "float32"))


def plain_scores(model: Any, asked: Question) -> tuple[float, ...]:
    """The reference: each labelled prompt alone, without cache, padding or short cuts."""
    sums = []
    for answer in asked.answers:
        ids = asked.given + answer
        with torch.inference_mode():
            logits = model(input_ids=torch.tensor([ids]), use_cache=False).logits[0].float()
        table = torch.log_softmax(logits, dim=-1)
        start = len(asked.given)
        sums.append(sum(float(table[start + t - 1, token]) for t, token in enumerate(answer)))
    return tuple(sums)


def assert_equal_scores(
    net: Network, prefix: tuple[int, ...], questions: Sequence[Question]
) -> None:
    ours = label_logprobs(net, prefix, questions)
    for asked, sums in zip(questions, ours, strict=True):
        assert sums == pytest.approx(plain_scores(net.model, asked), abs=TOLERANCE)


def tokens(rng: random.Random, count: int) -> tuple[int, ...]:
    return tuple(3 + int(rng.random() * (VOCABULARY - 3)) for _ in range(count))


SINGLE = ((5,), (6,), (7,))
CHAIN = ((5,), (5, 9), (5, 9, 11))  # each label begins with the one before
BRANCHING = ((5, 8), (5, 9, 4), (6,), (5, 9, 7, 7), (10, 3))


@pytest.mark.parametrize("answers", [SINGLE, CHAIN], ids=["single-token", "chain"])
@pytest.mark.parametrize("kind", ["gemma3", "mistral", "llama", "gpt2", "cohere"])
def test_scores_with_a_shared_prefix_equal_plain_ones(
    kind: str, answers: tuple[tuple[int, ...], ...]
) -> None:
    rng = random.Random(1)
    net = network(kind)
    assert net.reuses_prefix
    assert not net.notes
    prefix = tokens(rng, 40)
    questions = [
        Question(prefix + tokens(rng, length), answers) for length in (1, 2, 9, 30, 31, 64)
    ]
    assert_equal_scores(net, prefix, questions)


@pytest.mark.parametrize("kind", ["gemma3", "mistral", "llama", "gpt2"])
def test_labels_that_share_tokens_are_scored_as_a_trie(kind: str) -> None:
    rng = random.Random(2)
    net = network(kind)
    prefix = tokens(rng, 25)
    for length in (1, 17):
        questions = [Question(prefix + tokens(rng, length), BRANCHING) for _ in range(3)]
        assert questions[0].branches
        assert_equal_scores(net, prefix, questions)


@pytest.mark.parametrize("total", [300, 511, 512, 513, 700, 1200])
def test_scores_hold_across_the_sliding_window(total: int) -> None:
    rng = random.Random(total)
    net = network("gemma3", window=512)
    for prefix_length in (200, total - 40):
        prefix = tokens(rng, prefix_length)
        rest = total - prefix_length
        questions = [
            Question(prefix + tokens(rng, length), SINGLE) for length in (rest, rest - 7, 3)
        ]
        assert_equal_scores(net, prefix, questions)
        branching = [Question(prefix + tokens(rng, rest), BRANCHING) for _ in range(2)]
        assert_equal_scores(net, prefix, branching)


def test_a_prefix_is_used_again_and_never_written_to() -> None:
    rng = random.Random(3)
    net = network("gemma3")
    prefix = tokens(rng, 40)
    questions = [Question(prefix + tokens(rng, length), SINGLE) for length in (4, 12)]
    first = label_logprobs(net, prefix, questions)
    cached = net.prefix(prefix)
    assert cached is not None
    keys = [layer.keys.clone() for layer in cached.cache.layers]
    assert label_logprobs(net, prefix, questions) == first
    assert net.prefix(prefix) is cached
    for layer, before in zip(cached.cache.layers, keys, strict=True):
        assert torch.equal(layer.keys, before)


def test_an_architecture_without_a_sharable_cache_is_scored_in_full_and_says_so() -> None:
    rng = random.Random(4)
    net = network("mamba")
    assert not net.reuses_prefix
    assert any("prefix" in note for note in net.notes)
    prefix = tokens(rng, 10)
    assert net.prefix(prefix) is None
    same_length = [Question(prefix + tokens(rng, 5), SINGLE) for _ in range(2)]
    assert_equal_scores(net, prefix, same_length)
    assert_equal_scores(net, prefix, [Question(prefix + tokens(rng, 5), BRANCHING)])


def test_an_unknown_output_layer_falls_back_to_the_models_own_logits() -> None:
    model = sharpened(tiny_model("llama"))
    inner = model.forward

    def doubled(*args: Any, **kwargs: Any) -> Any:
        out = inner(*args, **kwargs)
        out.logits = out.logits * 2
        return out

    model.forward = doubled
    net = Network(model, Placement("cpu", "float32"))
    assert any("vocabulary" in note for note in net.notes)
    rng = random.Random(5)
    prefix = tokens(rng, 10)
    assert_equal_scores(net, prefix, [Question(prefix + tokens(rng, n), SINGLE) for n in (2, 5)])


def test_without_a_common_prefix_scores_are_the_same() -> None:
    rng = random.Random(6)
    net = network("llama")
    assert_equal_scores(net, (), [Question(tokens(rng, n), SINGLE) for n in (2, 5)])


def test_questions_that_branch_must_be_of_one_length() -> None:
    net = network("llama")
    questions = [Question((2, 3), BRANCHING), Question((2, 3, 4), BRANCHING)]
    with pytest.raises(ValueError, match="one length"):
        label_logprobs(net, (), questions)


def test_the_common_prefix_stays_one_token_short_of_every_row() -> None:
    assert common_prefix([(1, 2, 3), (1, 2, 3)]) == (1, 2)
    assert common_prefix([(1, 2, 3, 4), (1, 2)]) == (1,)
    assert common_prefix([(1, 2), (3, 4)]) == ()
    assert common_prefix([(1, 2, 9), (1, 2, 4), (1, 2, 5, 6)]) == (1, 2)
    assert common_prefix([]) == ()
    assert common_prefix([(4,)]) == ()


def test_a_question_is_cut_before_the_first_token_that_a_label_changes() -> None:
    # The second label joins its first character to the prompt's last token (3 becomes 8).
    asked = question((1, 2, 3), [(1, 2, 3, 4), (1, 2, 8, 5)])
    assert asked.given == (1, 2)
    assert asked.answers == ((3, 4), (8, 5))
    plain = question((1, 2, 3), [(1, 2, 3, 4), (1, 2, 3, 5, 6)])
    assert plain.given == (1, 2, 3)
    assert plain.answers == ((4,), (5, 6))


def test_every_label_keeps_at_least_one_token_of_its_own() -> None:
    asked = question((1, 2, 3), [(1, 2, 3), (1, 2, 3, 5)])
    assert asked.given == (1, 2)
    assert asked.answers == ((3,), (3, 5))


def test_paths_are_those_that_no_other_path_continues() -> None:
    assert Question((1,), SINGLE).paths == ((),)
    assert Question((1,), CHAIN).paths == ((5, 9),)
    assert Question((1,), BRANCHING).paths == ((5, 9, 7), (10,))


def test_spread_and_select_leave_the_original_cache_alone() -> None:
    net = network("llama")
    _, cache = net.forward([(2, 3, 4), (5, 6, 7)], None, ())
    assert can_spread(cache)
    chosen = select(cache, [1, 1, 0])
    assert chosen.layers[0].keys.shape[0] == 3
    assert torch.equal(chosen.layers[0].keys[0], cache.layers[0].keys[1])
    assert cache.layers[0].keys.shape[0] == 2
    assert spread(cache, 2).layers[0].keys is cache.layers[0].keys
    assert not can_spread(object())
