"""A RoBERTa that begins where MiniLM ends: its layers, and its word vectors under another vocabulary."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from tokenizers import (
    Tokenizer,
    decoders,
    models,
    normalizers,
    pre_tokenizers,
    processors,
    trainers,
)
from transformers import BertModel, RobertaConfig, RobertaForMaskedLM

SPECIAL = {"<s>": "[CLS]", "<pad>": "[PAD]", "</s>": "[SEP]", "<unk>": "[UNK]", "<mask>": "[MASK]"}


def byte_level_bpe(texts: Iterable[str], size: int) -> Tokenizer:
    """A byte-level BPE of `size` tokens, RoBERTa's special tokens first. Uncased, as MiniLM is."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.normalizer = normalizers.Lowercase()
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=size,
        special_tokens=list(SPECIAL),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    tokenizer.post_processor = processors.RobertaProcessing(
        ("</s>", 2), ("<s>", 0), trim_offsets=True, add_prefix_space=True
    )
    return tokenizer


def word_vectors(
    tokenizer: Tokenizer, pieces: Tokenizer, vectors: torch.Tensor
) -> tuple[torch.Tensor, int]:
    """A vector for each BPE token, and how many are that of one WordPiece of the same text.

    `pieces` is the WordPiece tokenizer that `vectors` belongs to. A token with a leading space begins a
    word, one without continues it (`##`) or is punctuation. Any other token is the mean over its pieces.
    """
    vocabulary = pieces.get_vocab()
    rows = torch.empty(tokenizer.get_vocab_size(), vectors.shape[1])
    exact = 0
    for token, number in tokenizer.get_vocab().items():
        if token in SPECIAL:
            rows[number] = vectors[vocabulary[SPECIAL[token]]]
            exact += 1
            continue
        text = tokenizer.decoder.decode([token])
        begins, bare = text.startswith(" "), text.strip()
        names = [bare] if begins else [f"##{bare}", bare]
        known = next((name for name in names if name in vocabulary), None)
        if known is not None:
            rows[number] = vectors[vocabulary[known]]
            exact += 1
        else:
            ids = pieces.encode(bare, add_special_tokens=False).ids or [vocabulary["[UNK]"]]
            rows[number] = vectors[ids].mean(dim=0)
    return rows, exact


def warm_started(
    teacher: BertModel, pieces: Tokenizer, tokenizer: Tokenizer
) -> tuple[RobertaForMaskedLM, int]:
    """RoBERTa of the teacher's shape with its weights, and the number of vectors taken over whole."""
    source = teacher.config
    config = RobertaConfig(
        vocab_size=tokenizer.get_vocab_size(),
        hidden_size=source.hidden_size,
        num_hidden_layers=source.num_hidden_layers,
        num_attention_heads=source.num_attention_heads,
        intermediate_size=source.intermediate_size,
        layer_norm_eps=source.layer_norm_eps,
        max_position_embeddings=source.max_position_embeddings + 2,
        type_vocab_size=1,
    )
    student = RobertaForMaskedLM(config)
    vectors, exact = word_vectors(
        tokenizer, pieces, teacher.embeddings.word_embeddings.weight.detach()
    )
    with torch.no_grad():
        own, theirs = student.roberta.embeddings, teacher.embeddings
        own.word_embeddings.weight.copy_(vectors)
        own.position_embeddings.weight[2:].copy_(theirs.position_embeddings.weight)
        own.token_type_embeddings.weight.copy_(theirs.token_type_embeddings.weight[:1])
        own.LayerNorm.load_state_dict(theirs.LayerNorm.state_dict())
        student.roberta.encoder.load_state_dict(teacher.encoder.state_dict())
        head: Any = student.lm_head
        head.dense.weight.copy_(torch.eye(source.hidden_size))  # words look like their vectors
        head.dense.bias.zero_()
    student.tie_weights()
    return student, exact
