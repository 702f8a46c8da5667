"""A very small encoder, made on the spot, and data that it can learn in seconds."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from robust_eval.models.context import ModelContext, TrainingSettings
from robust_eval.records import TASKS, Example, TaskKind

GOOD = ("good", "fine", "great", "lovely")
BAD = ("bad", "poor", "awful", "dull")
FILLER = ("the", "film", "was", "a", "plot", "and", "very", "it")


def save_tiny_encoder(folder: Path, *, positions: int = 64, seed: int = 0) -> Path:
    """A random BERT of two layers with a word tokenizer, saved as an encoder is."""
    import torch
    from tokenizers import Tokenizer
    from tokenizers.models import WordLevel
    from tokenizers.pre_tokenizers import BertPreTokenizer
    from tokenizers.processors import TemplateProcessing
    from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", *GOOD, *BAD, *FILLER]
    tokenizer = Tokenizer(WordLevel({w: i for i, w in enumerate(words)}, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = BertPreTokenizer()
    tokenizer.post_processor = TemplateProcessing(
        single="[CLS] $A [SEP]",
        pair="[CLS] $A [SEP] $B:1 [SEP]:1",
        special_tokens=[("[CLS]", 2), ("[SEP]", 3)],
    )
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        network = BertModel(
            BertConfig(
                vocab_size=len(words),
                hidden_size=32,
                num_hidden_layers=2,
                num_attention_heads=2,
                intermediate_size=64,
                max_position_embeddings=positions,
            )
        )
    network.save_pretrained(folder)
    PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token="[PAD]",
        unk_token="[UNK]",
        cls_token="[CLS]",
        sep_token="[SEP]",
        model_max_length=positions,
    ).save_pretrained(folder)
    return folder


def film_reviews(count: int, start: int = 0) -> tuple[Example, ...]:
    """Reviews whose label is decided by one word."""
    made = []
    for i in range(start, start + count):
        words, target = ((GOOD, "positive"), (BAD, "negative"))[i % 2]
        filler = " ".join(FILLER[(i // 3 + j) % len(FILLER)] for j in range(2 + i % 7))
        text = f"{filler} {words[i // 2 % 4]} {FILLER[i // 5 % 8]}"
        made.append(Example(f"r{i}", {"text": text}, target, f"r{i}"))
    return tuple(made)


@pytest.fixture(scope="session")
def tiny_encoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder as `ft:` takes it."""
    return save_tiny_encoder(tmp_path_factory.mktemp("base") / "tiny-bert")


@pytest.fixture
def review_context(tmp_path: Path) -> Callable[..., ModelContext]:
    """A context over film reviews; keywords replace its fields."""

    def make(**changes: object) -> ModelContext:
        fields: dict[str, object] = {
            "task": TASKS[TaskKind.CLASSIFICATION],
            "labels": ("negative", "positive"),
            "train": film_reviews(64),
            "dev": film_reviews(16, start=1000),
            "demonstrations": film_reviews(8, start=2000),
            "seed": 0,
            "cache_dir": tmp_path / "cache",
            "training": TrainingSettings(epochs=6, learning_rate=5e-3, batch_size=8, patience=6),
            "device": "cpu",
            "max_length": 32,
            "offline": True,
        }
        return ModelContext(**{**fields, **changes})  # type: ignore[arg-type]

    return make


@pytest.fixture
def reviews() -> Callable[..., tuple[Example, ...]]:
    """`reviews(count, start)`: test reviews apart from the training ones."""
    return lambda count=12, start=5000: film_reviews(count, start)


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Small networks run faster on one thread, and the suite shares its cores."""
    import sys

    torch = sys.modules.get("torch")
    if torch is None:
        yield
        return
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)
