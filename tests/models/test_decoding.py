"""Written answers: a batch of unequal rows writes what each row would write alone, window or not."""

from __future__ import annotations

import importlib.util
import random
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

torch = pytest.importorskip("torch")

from robust_eval.models.decoding import Decoding, continue_rows  # noqa: E402
from robust_eval.models.prefix import Network  # noqa: E402
from robust_eval.rng import stream  # noqa: E402

FIRST = 0x4E00  # the character of token 0: neither white space nor a line break is among them


def helpers() -> ModuleType:
    """The tiny models of the prefix tests."""
    path = Path(__file__).parent / "test_prefix.py"
    spec = importlib.util.spec_from_file_location("prefix_models", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class Letters:
    """A tokenizer with one character a token: no text is cut or joined."""

    def decode(self, ids: Any) -> str:
        return "".join(chr(FIRST + token) for token in ids)


@pytest.fixture(scope="module", params=["gemma3", "mistral", "llama"])
def network(request: pytest.FixtureRequest) -> Network:
    made: Network = helpers().network(request.param)
    return made


def rows_of(lengths: tuple[int, ...], prefix: int) -> tuple[tuple[int, ...], list[tuple[int, ...]]]:
    rng = random.Random(3)
    shared = tuple(rng.randrange(3, 97) for _ in range(prefix))
    return shared, [
        shared + tuple(rng.randrange(3, 97) for _ in range(length)) for length in lengths
    ]


def plain(network: Network, row: tuple[int, ...], limit: int) -> str:
    """The reference: the model's own forward pass over the whole text, for every token."""
    ids = list(row)
    for _ in range(limit):
        with torch.inference_mode():
            logits = network.model(torch.tensor([ids]), use_cache=False).logits[0, -1]
        ids.append(int(logits.argmax()))
    return Letters().decode(ids[len(row) :])


@pytest.mark.parametrize("prefix", [0, 5, 40])
def test_unequal_rows_write_together_what_each_writes_alone(network: Network, prefix: int) -> None:
    shared, rows = rows_of((9, 3, 30, 3, 17, 22), prefix)
    decoding = Decoding(12, frozenset(), ends=("\n",))
    found = continue_rows(network, Letters(), shared, rows, decoding)  # type: ignore[arg-type]
    for row, (answer,) in zip(rows, found, strict=True):
        assert answer.text == plain(network, row, 12).strip()
        assert not answer.finished


def test_rows_that_end_leave_the_batch_and_the_others_go_on_alike(network: Network) -> None:
    shared, rows = rows_of((4, 11, 6, 25), 20)
    wholes = [plain(network, row, 16) for row in rows]
    # Whatever the first row writes third ends every row that writes it.
    stop = ord(wholes[0][2]) - FIRST
    decoding = Decoding(16, frozenset((stop,)))
    found = continue_rows(network, Letters(), shared, rows, decoding)  # type: ignore[arg-type]
    for whole, (answer,) in zip(wholes, found, strict=True):
        head, ended, _ = whole.partition(chr(FIRST + stop))
        assert answer.text == head.strip()
        assert answer.finished is bool(ended)
    assert found[0][0].finished


def test_drawn_answers_depend_on_their_own_stream_alone(network: Network) -> None:
    shared, rows = rows_of((9, 3, 14), 6)
    decoding = Decoding(8, frozenset(), temperature=1.0)

    def draws(i: int, count: int) -> list[random.Random]:
        return [stream(0, "row", i, sample) for sample in range(count)]

    together = continue_rows(
        network,
        Letters(),
        shared,
        rows,
        decoding,
        [draws(i, 3) for i in range(3)],  # type: ignore[arg-type]
    )
    assert [len(samples) for samples in together] == [3, 3, 3]
    assert len({answer.text for samples in together for answer in samples}) > 5
    for i, row in enumerate(rows):
        (alone,) = continue_rows(network, Letters(), (), [row], decoding, [draws(i, 2)])  # type: ignore[arg-type]
        assert alone == together[i][:2]


def test_a_low_temperature_writes_what_is_likeliest(network: Network) -> None:
    shared, rows = rows_of((5, 8), 4)
    greedy = continue_rows(network, Letters(), shared, rows, Decoding(6, frozenset()))  # type: ignore[arg-type]
    cold = continue_rows(
        network,
        Letters(),  # type: ignore[arg-type]
        shared,
        rows,
        Decoding(6, frozenset(), temperature=1e-4),
        [[stream(1, i)] for i in range(2)],
    )
    assert cold == greedy


def test_an_answer_ends_with_the_line_of_its_mark() -> None:
    decoding = Decoding(9, frozenset(), ends=("\n\n",), mark="The answer is")
    assert not decoding.over("a\nb\nThe answer is 4.")
    assert decoding.over("a\nb\nThe answer is 4.\n")
    assert decoding.over("a\n\nb")
    assert not decoding.over("\n\na")
    assert decoding.cut("\na\nThe answer is 4.\n\nQuestion: b") == "a\nThe answer is 4."
