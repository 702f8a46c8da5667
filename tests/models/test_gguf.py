"""GGUF files: hostile headers, the tokenizer built from the vocabulary, the weights."""

from __future__ import annotations

import io
import json
import struct
import urllib.request
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from robust_eval.errors import ModelError
from robust_eval.models.causal_files import gguf_files
from robust_eval.models.demo import DEMOS, demo_file
from robust_eval.models.gguf_file import load_gguf, read_header, write_without_vocabulary
from robust_eval.models.gguf_tokenizer import build_tokenizer, gguf_tokenizer, merges_of
from robust_eval.models.tokens import Tokens, load_tokens

gguf = pytest.importorskip("gguf")

PIECES = ["<unk>", "<s>", "</s>", "\n", "▁", "a", "b", "▁a", "ab", "▁ab", "<tag>", "  "]
BYTES = [f"<0x{value:02X}>" for value in range(256)]
TYPES = [2, 3, 3, 1, 1, 1, 1, 1, 1, 1, 4, 4] + [6] * 256
SCORES = [0.0, 0.0, 0.0, 0.0, -9.0, -7.0, -8.0, -1.0, -2.0, -3.0, 0.0, 0.0] + [0.0] * 256


def write_gguf(path: Path, *, prefix_space: bool = False, **extra: Any) -> Path:
    writer = gguf.GGUFWriter(str(path), "llama")
    writer.add_context_length(128)
    writer.add_tokenizer_model("llama")
    writer.add_token_list([*PIECES, *BYTES])
    writer.add_token_scores(SCORES)
    writer.add_token_types(TYPES)
    writer.add_bos_token_id(1)
    writer.add_unk_token_id(0)
    writer.add_add_space_prefix(prefix_space)
    for key, value in extra.items():
        writer.add_string(key, value)
    writer.add_tensor("token_embd.weight", np.arange(268 * 4, dtype=np.float32).reshape(268, 4))
    writer.add_tensor("output_norm.weight", np.ones(4, dtype=np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


@pytest.fixture
def small(tmp_path: Path) -> Path:
    return write_gguf(tmp_path / "small.gguf")


def test_a_header_tells_architecture_window_and_number_of_weights(small: Path) -> None:
    header = read_header(small)
    assert header.architecture == "llama"
    assert header.context_length == 128
    assert header.parameters == 268 * 4 + 4
    assert header.values["tokenizer.ggml.tokens"] == [*PIECES, *BYTES]


def test_files_are_identified_by_their_content(small: Path, tmp_path: Path) -> None:
    one = gguf_files(small, tmp_path / "cache")
    assert gguf_files(small, tmp_path / "cache") == one
    other = write_gguf(tmp_path / "other.gguf", note="changed")
    assert gguf_files(other, tmp_path / "cache").sha256 != one.sha256


def test_the_copy_without_vocabulary_holds_the_same_tensors(small: Path, tmp_path: Path) -> None:
    header = read_header(small)
    copied = tmp_path / "copy.gguf"
    with copied.open("wb") as out:
        write_without_vocabulary(header, out)
    ours = gguf.GGUFReader(str(copied))
    original = gguf.GGUFReader(str(small))
    assert [t.name for t in ours.tensors] == [t.name for t in original.tensors]
    for one, other in zip(ours.tensors, original.tensors, strict=True):
        assert np.array_equal(one.data, other.data)
    assert ours.fields["llama.vocab_size"].contents() == 268
    assert "tokenizer.ggml.tokens" not in ours.fields
    assert ours.fields["tokenizer.ggml.bos_token_id"].contents() == 1


@pytest.mark.parametrize("keep", [0, 3, 12, 40, 900])
def test_a_truncated_file_is_damaged(small: Path, tmp_path: Path, keep: int) -> None:
    broken = tmp_path / "broken.gguf"
    broken.write_bytes(small.read_bytes()[:keep])
    with pytest.raises(ModelError, match=r"broken\.gguf"):
        read_header(broken)


def test_a_file_cut_before_its_weights_is_damaged(small: Path, tmp_path: Path) -> None:
    broken = tmp_path / "broken.gguf"
    broken.write_bytes(small.read_bytes()[: read_header(small).data_start])
    with pytest.raises(ModelError, match=r"damaged.*again"):
        read_header(broken)


def header_bytes(
    *, version: int = 3, tensors: int = 0, entries: int = 0, rest: bytes = b""
) -> bytes:
    return b"GGUF" + struct.pack("<IQQ", version, tensors, entries) + rest


KEY = struct.pack("<Q", 1) + b"k"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"PK\x03\x04 something else", "not a GGUF file"),
        (header_bytes(version=9), "version 9"),
        (header_bytes(entries=2**60), "damaged"),
        (header_bytes(tensors=2**60), "damaged"),
        (header_bytes(entries=1, rest=struct.pack("<Q", 2**62)), "damaged"),
        (header_bytes(entries=1, rest=KEY + struct.pack("<I", 99)), "damaged"),
        (header_bytes(entries=1, rest=KEY + struct.pack("<IIQ", 9, 4, 2**61)), "damaged"),
        (header_bytes(entries=1, rest=KEY + struct.pack("<IIQ", 9, 9, 1)), "damaged"),
        (header_bytes(tensors=1, rest=KEY + struct.pack("<I", 2**31)), "damaged"),
    ],
)
def test_a_hostile_header_is_refused(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "hostile.gguf"
    path.write_bytes(content)
    with pytest.raises(ModelError, match=message):
        read_header(path)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="does not exist"):
        read_header(tmp_path / "none.gguf")
    with pytest.raises(ModelError, match="cannot be read"):
        read_header(tmp_path)


def test_merges_follow_the_rank_of_the_piece_that_results() -> None:
    tokens = ["a", "b", "c", "ab", "bc", "abc"]
    vocabulary = {token: i for i, token in enumerate(tokens)}
    assert merges_of([4, 5, 3], tokens, vocabulary) == [
        ("b", "c"),
        ("a", "bc"),
        ("ab", "c"),
        ("a", "b"),
    ]


def test_a_sentencepiece_vocabulary_merges_by_score_and_falls_back_to_bytes(small: Path) -> None:
    tokens = Tokens(build_tokenizer(read_header(small)))
    assert tokens.start == (1,)
    assert tokens.encode([" ab"]) == [(1, 9)]  # "▁a" first, then "▁ab"
    assert tokens.encode(["aab"]) == [(1, 5, 8)]
    assert tokens.encode(["ab"]) == [(1, 8)]
    euro = [len(PIECES) + value for value in "€".encode()]
    assert tokens.encode(["a€"]) == [(1, 5, *euro)]
    for text in ("ab  ab a", " a€b\n", "<tag>a b<tag>"):
        assert tokens.decode(tokens.encode([text])[0]) == text


def test_special_tokens_in_a_text_are_read_as_text(small: Path) -> None:
    tokens = Tokens(build_tokenizer(read_header(small)))
    (ids,) = tokens.encode(["a</s>b"])
    assert 2 not in ids
    assert 10 in tokens.encode(["a<tag>b"])[0]  # user-defined pieces are no control tokens


def test_the_prefix_space_is_added_where_the_file_asks_for_it(tmp_path: Path) -> None:
    path = write_gguf(tmp_path / "prefixed.gguf", prefix_space=True)
    tokens = Tokens(build_tokenizer(read_header(path)))
    assert tokens.encode(["a"]) == [(1, 7)]
    assert tokens.decode([7]) == "a"


def test_the_tokenizer_is_kept_and_a_damaged_copy_made_again(small: Path, tmp_path: Path) -> None:
    header = read_header(small)
    first = gguf_tokenizer(header, "f" * 64, tmp_path)
    (kept,) = (tmp_path / "tokenizers").iterdir()
    kept.write_text("{", encoding="utf-8")
    again = gguf_tokenizer(header, "f" * 64, tmp_path)
    assert again.encode("ab a").ids == first.encode("ab a").ids
    assert json.loads(kept.read_text("utf-8"))["model"]["type"] == "BPE"


def test_an_unknown_kind_of_vocabulary_is_refused(small: Path) -> None:
    header = read_header(small)
    values: dict[str, Any] = dict(header.values)
    for change, message in (
        ({"tokenizer.ggml.model": "t5"}, "'t5'"),
        ({"tokenizer.ggml.model": "gpt2"}, "no merges"),
        (
            {
                "tokenizer.ggml.model": "gpt2",
                "tokenizer.ggml.merges": [],
                "tokenizer.ggml.pre": "strange",
            },
            "'strange'",
        ),
        ({"tokenizer.ggml.tokens": []}, "no vocabulary"),
        ({"tokenizer.ggml.token_type": [1]}, "damaged"),
        ({"tokenizer.ggml.unknown_token_id": 10**6}, "damaged"),
    ):
        with pytest.raises(ModelError, match=message):
            build_tokenizer(type(header)(**{**_fields(header), "values": values | change}))


def _fields(header: Any) -> dict[str, Any]:
    return {name: getattr(header, name) for name in header.__slots__}


# --- the real file ---------------------------------------------------------------------------------

TRICKY = (
    "Review: a fine film\nSentiment: positive",
    " positive",
    "  two  spaces   three",
    "tab\t\there\t\n\n\n \n",
    "emoji 😀👩‍👩‍👧 and 🏴‍☠️",
    "12345 3.14 1,000,000",
    "ünïcödé naïve Ω ß é e\u0301 ﬁ",
    "日本語のテキスト ⓐⓑ Ꮳ ꙮ 𝔉𝔯𝔞𝔨",
    "<eos> <bos> <table>x</table> [INST]",
    "\u200bzero\u00a0width \x01 ctrl \r\n windows",
    "don't I'll WE'RE aaaaaaaaaaaaaaaaaaaaaaaa",
)


@pytest.fixture(scope="module")
def gemma(tmp_path_factory: pytest.TempPathFactory) -> Path:
    try:
        return demo_file("gemma-3-270m", tmp_path_factory.mktemp("demo"))
    except ModelError as error:
        pytest.skip(str(error))


@pytest.mark.model
def test_gemmas_tokens_equal_those_of_llama_cpp(gemma: Path, tmp_path: Path) -> None:
    xllamacpp = pytest.importorskip("xllamacpp")
    tokens = load_tokens(gguf_files(gemma, tmp_path), tmp_path)
    assert tokens.encode([" positive"]) == [(2, 4414)]
    parameters = xllamacpp.CommonParams()
    parameters.model.path = str(gemma)
    parameters.n_ctx = 64
    parameters.warmup = False
    server = xllamacpp.Server(parameters)
    for text in TRICKY:
        body = json.dumps({"content": text, "add_special": True, "parse_special": False})
        request = urllib.request.Request(
            server.listening_address + "/tokenize",
            body.encode(),
            {"Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=60) as answer:
            theirs = json.load(answer)["tokens"]
        assert list(tokens.encode([text])[0]) == theirs, text
        assert tokens.decode(theirs) == text


@pytest.mark.model
def test_the_demo_is_put_together_once_and_verified(
    gemma: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = gemma.stat().st_mtime_ns
    assert demo_file("gemma-3-270m", gemma.parents[2]) == gemma
    assert gemma.stat().st_mtime_ns == before
    chosen = DEMOS["gemma-3-270m"]
    assert gguf_files(gemma, tmp_path).sha256 == chosen.sha256
    expected_other = type(chosen)(chosen.file, chosen.parts, "0" * 64, chosen.install, "")
    monkeypatch.setitem(DEMOS, "gemma-3-270m", expected_other)
    with pytest.raises(ModelError, match="other weights than expected"):
        demo_file("gemma-3-270m", tmp_path / "fresh")
    assert not list((tmp_path / "fresh").rglob("*.gguf"))


def test_a_demo_that_is_not_installed_names_the_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    chosen = DEMOS["gemma-3-270m"]
    missing = type(chosen)(chosen.file, (("no_such_package_here", "x"),), "0" * 64, "pip x", "")
    monkeypatch.setitem(DEMOS, "gemma-3-270m", missing)
    with pytest.raises(ModelError, match=r"not installed.*pip x"):
        demo_file("gemma-3-270m", tmp_path)
    with pytest.raises(ModelError, match="did you mean 'gemma-3-270m'"):
        demo_file("gemma-3-270", tmp_path)


def test_writing_needs_no_seekable_target(small: Path) -> None:
    buffer = io.BytesIO()
    write_without_vocabulary(read_header(small), buffer)
    assert buffer.getvalue()[:4] == b"GGUF"


@pytest.mark.model
def test_weights_are_unpacked_whatever_kernels_are_installed(
    gemma: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    torch = pytest.importorskip("torch")
    if hasattr(pytest.importorskip("transformers"), "GgufConfig"):
        kernel = "transformers.quantizers.quantizer_gguf.get_gguf_kernel"
        monkeypatch.setattr(kernel, lambda *_: object())
    model = load_gguf(gemma, torch.bfloat16, tmp_path)
    assert {(type(p), p.dtype) for p in model.parameters()} == {
        (torch.nn.Parameter, torch.bfloat16)
    }
    assert {type(m) for m in model.modules() if hasattr(m, "in_features")} == {torch.nn.Linear}
    assert capfd.readouterr().err == ""
