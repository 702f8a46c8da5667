"""The tokenizer of a GGUF file, built from the file's own vocabulary.

transformers 4.57 builds a Unigram model from SentencePiece-BPE vocabularies such as Gemma's, which
splits words wrongly; 5.x is right and slow. Building it here gives the same ids under both.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from robust_eval.errors import InfrastructureError, ModelError
from robust_eval.models.gguf_file import Header

if TYPE_CHECKING:
    from tokenizers import Tokenizer

NORMAL, UNKNOWN, CONTROL, USER_DEFINED, UNUSED, BYTE = 1, 2, 3, 4, 5, 6  # token types of llama.cpp
SPACE = "\u2581"  # SentencePiece's visible space
BUILDER_VERSION = 1  # part of the cached file's name: raise it when a change here changes ids

# How a byte-level vocabulary cuts text before merging, by the file's `tokenizer.ggml.pre`.
# Source: the published tokenizer.json of GPT-2, Llama 3 and Qwen2.
_LLAMA3 = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*"
    r"|\s*[\r\n]+|\s+(?!\S)|\s+"
)
_QWEN2 = _LLAMA3.replace(r"\p{N}{1,3}", r"\p{N}")
SPLITS = {"llama-bpe": _LLAMA3, "llama3": _LLAMA3, "qwen2": _QWEN2, "deepseek-r1-qwen": _QWEN2}
PLAIN_BYTE_LEVEL = ("gpt-2", "default")
DIGITS_FIRST = ("smollm",)


def gguf_tokenizer(header: Header, sha256: str, cache_dir: Path) -> Tokenizer:
    """The tokenizer of the file with this hash, from the cache when it was built before.

    Raises:
        ModelError: a kind of vocabulary that is not known here.
    """
    from tokenizers import Tokenizer

    cached = cache_dir / "tokenizers" / f"{sha256}-{BUILDER_VERSION}.json"
    if cached.is_file():
        try:
            return Tokenizer.from_file(str(cached))
        except Exception:  # noqa: BLE001 - the library raises bare Exception on a damaged file
            cached.unlink(missing_ok=True)
    tokenizer = build_tokenizer(header)
    _save(tokenizer, cached)
    return tokenizer


def build_tokenizer(header: Header) -> Tokenizer:
    """The tokenizer, with BOS added by `add_special_tokens=True` where the file asks for it."""
    kind = header.values.get("tokenizer.ggml.model")
    tokens = header.values.get("tokenizer.ggml.tokens")
    if not isinstance(tokens, list) or not tokens:
        raise ModelError(f"GGUF file '{header.path}' has no vocabulary; use another conversion")
    types = header.values.get("tokenizer.ggml.token_type") or [NORMAL] * len(tokens)
    if len(types) != len(tokens):
        raise ModelError(f"GGUF file '{header.path}' is damaged: vocabulary and types differ")
    if kind == "llama":
        tokenizer = _sentencepiece(header, tokens, types)
    elif kind == "gpt2":
        tokenizer = _byte_level(header, tokens, types)
    else:
        raise ModelError(
            f"GGUF file '{header.path}' has a vocabulary of the kind '{kind}'; 'llama' and 'gpt2' "
            "are known: use the model's safetensors with hf:, or serve it with llama.cpp"
        )
    _add_bos(header, tokens, tokenizer)
    return tokenizer


def _sentencepiece(header: Header, tokens: list[str], types: Sequence[int]) -> Tokenizer:
    from tokenizers import AddedToken, Tokenizer, decoders, models, normalizers

    # Runs of spaces are stored as spaces; in the text they have become SPACE by then.
    spelled = [
        token.replace(" ", SPACE) if type_ == USER_DEFINED and not token.strip(" ") else token
        for token, type_ in zip(tokens, types, strict=True)
    ]
    vocabulary = {token: index for index, token in enumerate(spelled)}
    merged = [
        index
        for index, type_ in enumerate(types)
        if type_ == NORMAL or (type_ == USER_DEFINED and not spelled[index].strip(SPACE))
    ]
    scores: Sequence[float] = header.values.get("tokenizer.ggml.scores") or ()
    by_position = header.architecture.startswith("gemma") or len(scores) != len(tokens)
    # Gemma's user-defined tokens share one made-up score; its order of merging is that of the ids.
    ranked = sorted(merged, key=lambda i: (0.0 if by_position else -scores[i], i))
    unknown = header.values.get("tokenizer.ggml.unknown_token_id", 0)
    if not isinstance(unknown, int) or not 0 <= unknown < len(tokens):
        raise ModelError(f"GGUF file '{header.path}' is damaged: its unknown token is no token")
    tokenizer = Tokenizer(
        models.BPE(
            vocab=vocabulary,
            merges=merges_of(ranked, spelled, vocabulary),
            unk_token=spelled[unknown],
            fuse_unk=True,
            byte_fallback=any(type_ == BYTE for type_ in types),
        )
    )
    steps: list[normalizers.Normalizer] = [normalizers.Replace(" ", SPACE)]
    prefixed = header.values.get("tokenizer.ggml.add_space_prefix", True)
    if prefixed:
        steps.insert(0, normalizers.Prepend(SPACE))
    tokenizer.normalizer = normalizers.Sequence(steps)
    undo = [decoders.Replace(SPACE, " "), decoders.ByteFallback(), decoders.Fuse()]
    if prefixed:
        undo.append(decoders.Strip(" ", 1, 0))
    tokenizer.decoder = decoders.Sequence(undo)
    whole = set(range(len(tokens))) - set(merged)
    _add_tokens(tokenizer, tokens, types, whole, AddedToken)
    return tokenizer


def merges_of(
    ranked: Sequence[int], tokens: Sequence[str], vocabulary: dict[str, int]
) -> list[tuple[str, str]]:
    """The merges that a SentencePiece-BPE vocabulary implies, first to apply first.

    Joining two pieces is ranked by the piece that results, so every way to cut a piece into two
    others is a merge of that piece's rank.
    """
    merges: list[tuple[str, str]] = []
    for index in ranked:
        piece = tokens[index]
        cuts = [
            (vocabulary[left], vocabulary[right], left, right)
            for at in range(1, len(piece))
            if (left := piece[:at]) in vocabulary and (right := piece[at:]) in vocabulary
        ]
        merges += [(left, right) for _, _, left, right in sorted(cuts)]
    return merges


def _byte_level(header: Header, tokens: list[str], types: Sequence[int]) -> Tokenizer:
    from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers

    pairs = header.values.get("tokenizer.ggml.merges")
    if not isinstance(pairs, list):
        raise ModelError(f"GGUF file '{header.path}' has no merges; use another conversion")
    tokenizer = Tokenizer(
        models.BPE(
            vocab={token: index for index, token in enumerate(tokens)},
            merges=[(left, right) for left, _, right in (pair.partition(" ") for pair in pairs)],
        )
    )
    pre = header.values.get("tokenizer.ggml.pre", "default")
    byte_level = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=pre not in SPLITS)
    if pre in SPLITS:
        first = pre_tokenizers.Split(Regex(SPLITS[pre]), behavior="isolated")
        tokenizer.pre_tokenizer = pre_tokenizers.Sequence([first, byte_level])
    elif pre in DIGITS_FIRST:
        digits = pre_tokenizers.Digits(individual_digits=True)
        tokenizer.pre_tokenizer = pre_tokenizers.Sequence([digits, byte_level])
    elif pre in PLAIN_BYTE_LEVEL:
        tokenizer.pre_tokenizer = byte_level
    else:
        known = ", ".join((*PLAIN_BYTE_LEVEL, *DIGITS_FIRST, *SPLITS))
        raise ModelError(
            f"GGUF file '{header.path}' cuts words in the way '{pre}', which is not known here "
            f"({known} are): use the model's safetensors with hf:"
        )
    tokenizer.decoder = decoders.ByteLevel()
    _add_tokens(tokenizer, tokens, types, set(range(len(tokens))), AddedToken)
    return tokenizer


def _add_tokens(
    tokenizer: Tokenizer,
    tokens: Sequence[str],
    types: Sequence[int],
    candidates: set[int],
    added_token: type,
) -> None:
    """Marks control tokens as special, and user-defined ones as never to be cut."""
    chosen = sorted(candidates)
    tokenizer.add_special_tokens(
        [
            added_token(tokens[i], normalized=False, special=True)
            for i in chosen
            if types[i] == CONTROL
        ]
    )
    tokenizer.add_tokens(
        [
            added_token(tokens[i], normalized=False, special=False)
            for i in chosen
            if types[i] == USER_DEFINED
        ]
    )


def _add_bos(header: Header, tokens: Sequence[str], tokenizer: Tokenizer) -> None:
    from tokenizers import processors

    bos = header.values.get("tokenizer.ggml.bos_token_id")
    # Older SentencePiece files do not say; llama.cpp adds it to those.
    silent = header.values.get("tokenizer.ggml.model") == "llama"
    if (
        isinstance(bos, int)
        and 0 <= bos < len(tokens)
        and header.values.get("tokenizer.ggml.add_bos_token", silent)
    ):
        token = tokens[bos]
        tokenizer.post_processor = processors.TemplateProcessing(
            single=f"{token} $A", special_tokens=[(token, bos)]
        )


def _save(tokenizer: Tokenizer, path: Path) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=path.parent, prefix="tokenizer-") as folder:
            written = Path(folder) / "tokenizer.json"
            tokenizer.save(str(written), pretty=False)
            os.replace(written, path)
    except OSError as error:
        raise InfrastructureError(
            f"cannot write the tokenizer to '{path.parent}': {error.strerror}; make room or set "
            "ROBUST_EVAL_CACHE to another folder"
        ) from error
