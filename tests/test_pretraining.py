"""The parts of the script that made `demo:roberta-mini`: what is kept out, the warm start, the objective, resuming."""

from __future__ import annotations

import gzip
import importlib
import json
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

torch = pytest.importorskip("torch")

FOLDER = Path(__file__).parents[1] / "pretraining"
WORDS = (
    "a",
    "film",
    "story",
    "of",
    "two",
    "brothers",
    "who",
    "run",
    "bakery",
    "in",
    "town",
    "and",
    "lose",
    "it",
)


@pytest.fixture(scope="module")
def part() -> Any:
    """Modules of the folder by name: they are no package, and import one another."""
    sys.path.insert(0, str(FOLDER))
    names = ("corpus", "masked_lm", "warm_start", "roberta_mini")
    yield importlib.import_module
    sys.path.remove(str(FOLDER))
    for name in names:
        sys.modules.pop(name, None)


# --- what is kept out ----------------------------------------------------------------------------

SNIPPET = "a warm and funny story about two brothers who run a bakery in a small town"
LONG = "the camera lingers on every face in the crowd until nobody remembers why they came " * 6


@pytest.mark.parametrize(
    ("review", "kept"),
    [
        (f"{LONG} {SNIPPET} {LONG}", False),  # whole
        (f"{LONG} {SNIPPET.upper().replace(' and ', ', and ')}! {LONG}", False),  # case and marks
        (
            f"{LONG} {SNIPPET.replace('warm', 'sad').replace('small', 'big')} {LONG}",
            False,
        ),  # edited
        (f"{LONG} a warm and funny story that is about nothing else at all {LONG}", True),
        (LONG, True),
    ],
)
def test_a_review_that_holds_an_evaluation_text_is_taken_out(
    part: Any, review: str, kept: bool
) -> None:
    corpus = part("corpus")
    left, (found,) = corpus.without_overlap([review], [("set", [SNIPPET, "too short"])])
    assert left == ([review] if kept else [])
    assert (found.texts, found.too_short) == (2, 1)
    assert (found.found, found.reviews) == ((0, 0) if kept else (1, 1))


def test_a_short_phrase_takes_nothing_out(part: Any) -> None:
    left, (found,) = part("corpus").without_overlap(
        [LONG], [("set", ["the camera lingers on every"])]
    )
    assert (left, found.too_short, found.found) == ([LONG], 1, 0)


def test_the_table_counts_by_set(part: Any) -> None:
    corpus = part("corpus")
    _, overlaps = corpus.without_overlap(
        [f"{SNIPPET} {LONG}", LONG], [("a", [SNIPPET]), ("b", [LONG])]
    )
    rows = corpus.table(overlaps).splitlines()[2:]
    assert rows == ["| a | 1 | 0 | 1 | 1 |", "| b | 1 | 0 | 1 | 2 |"]


def test_every_text_field_of_a_folder_is_read_once_and_tables_are_not(
    part: Any, tmp_path: Path
) -> None:
    for name, rows in (
        ("pairs", [{"premise": "p", "hypothesis": "h", "label": "x"}, {"premise": "p", "id": "7"}]),
        ("lexical", [{"text": "a table"}]),
    ):
        (tmp_path / name).mkdir()
        with gzip.open(tmp_path / name / "test.jsonl.gz", "wt", encoding="utf-8") as out:
            out.writelines(json.dumps(row) + "\n" for row in rows)
    assert list(part("corpus").folder_texts(tmp_path)) == [("pairs/test", ["p", "h"])]


def test_no_text_that_the_demo_may_test_on_is_a_candidate(part: Any) -> None:
    corpus = part("corpus")
    longer = set(corpus.candidates())
    tested = dict(corpus.demo_texts())
    assert len(longer) > 10_000
    assert len(tested) == 2
    assert not any(longer & set(texts) for texts in tested.values())


def test_the_published_table_holds_every_set_of_the_demo() -> None:
    table = (FOLDER / "results" / "overlap.md").read_text(encoding="utf-8")
    rows = [line.split("|")[1].strip() for line in table.splitlines() if line.startswith("| demo:")]
    assert rows == ["demo:rotten-tomatoes", "demo:imdb, at most 1,000 characters"]


# --- vocabulary and warm start -------------------------------------------------------------------


@pytest.fixture(scope="module")
def teacher() -> Any:
    """A random BERT of two layers whose vocabulary is a few words and their pieces."""
    from transformers import BertConfig, BertModel

    with torch.random.fork_rng():
        torch.manual_seed(5)
        config = BertConfig(
            vocab_size=104 + len(WORDS), hidden_size=16, num_hidden_layers=2, num_attention_heads=2,
            intermediate_size=32, max_position_embeddings=40,
        )  # fmt: skip
        return BertModel(config).eval()


@pytest.fixture(scope="module")
def pieces() -> Any:
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers

    vocabulary = {"[PAD]": 0, "[UNK]": 100, "[CLS]": 101, "[SEP]": 102, "[MASK]": 103}
    vocabulary |= {f"[unused{i}]": i for i in range(1, 100)}
    vocabulary |= {word: 104 + i for i, word in enumerate(WORDS)}
    tokenizer = Tokenizer(models.WordPiece(vocabulary, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    return tokenizer


@pytest.fixture(scope="module")
def vocabulary(part: Any) -> Any:
    """A BPE that has each of the words as one token."""
    return part("warm_start").byte_level_bpe([" ".join(WORDS)] * 50, 400)


def test_the_vocabulary_begins_with_robertas_special_tokens_and_loses_no_byte(
    vocabulary: Any,
) -> None:
    assert [vocabulary.token_to_id(t) for t in ("<s>", "<pad>", "</s>", "<unk>", "<mask>")] == list(
        range(5)
    )
    encoded = vocabulary.encode("A Film, naïve 😀")
    assert (encoded.tokens[0], encoded.tokens[-1]) == ("<s>", "</s>")
    assert vocabulary.decode(encoded.ids).strip() == "a film, naïve 😀"


def test_a_token_begins_as_the_vector_of_the_same_word_else_as_the_mean_of_its_pieces(
    part: Any, vocabulary: Any, pieces: Any, teacher: Any
) -> None:
    vectors = teacher.embeddings.word_embeddings.weight.detach()
    rows, exact = part("warm_start").word_vectors(vocabulary, pieces, vectors)
    film = vocabulary.encode("film", add_special_tokens=False).ids
    assert len(film) == 1
    assert torch.equal(rows[film[0]], vectors[104 + WORDS.index("film")])
    assert torch.equal(rows[0], vectors[101])  # <s> as [CLS]
    letter = vocabulary.token_to_id("Ġz") or vocabulary.token_to_id("z")
    assert torch.equal(rows[letter], vectors[100])  # no piece of it is known
    assert exact >= 5 + len(WORDS)
    assert bool(torch.isfinite(rows).all())


def test_the_warm_start_reads_known_words_exactly_as_its_teacher(
    part: Any, vocabulary: Any, pieces: Any, teacher: Any
) -> None:
    student, _ = part("warm_start").warm_started(teacher, pieces, vocabulary)
    student.eval()
    text = "two brothers lose a bakery"
    mine = vocabulary.encode(text).ids
    theirs = [101, *pieces.encode(text, add_special_tokens=False).ids, 102]
    assert len(mine) == len(theirs) == 7
    with torch.no_grad():
        own = student.roberta(input_ids=torch.tensor([mine])).last_hidden_state
        goal = teacher(input_ids=torch.tensor([theirs])).last_hidden_state
    assert torch.allclose(own, goal, atol=1e-5)


# --- the objective -------------------------------------------------------------------------------


def test_chunks_hold_whole_words_in_order_and_fit(part: Any, vocabulary: Any, pieces: Any) -> None:
    words = [WORDS[i * 5 % len(WORDS)] for i in range(60)]
    review = " ".join([*words[:30], "x" * 300, *words[30:]])
    chunks = part("masked_lm").chunks_of(review, vocabulary, pieces, 12)
    read = [vocabulary.decode(list(c.student[1:-1])).split() for c in chunks]
    assert [word for row in read for word in row] == words  # the endless word is left out
    for chunk in chunks:
        assert max(len(chunk.student), len(chunk.teacher)) <= 12
        for ids, of in ((chunk.student, chunk.student_words), (chunk.teacher, chunk.teacher_words)):
            assert len(ids) == len(of)
            assert of[0] == of[-1] == -1
            assert sorted({w for w in of if w >= 0}) == list(range(chunk.words))


def test_the_mean_state_of_a_word_is_over_its_tokens(part: Any) -> None:
    states = torch.arange(8.0).reshape(2, 4, 1)
    means = part("masked_lm")._word_means(states, [[-1, 0, 0, -1], [-1, 0, 1, 1]])
    assert means.flatten().tolist() == [1.5, 5.0, 6.5]


def test_losses_follow_their_generator_and_special_tokens_are_never_masked(
    part: Any, vocabulary: Any, pieces: Any, teacher: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    masked_lm, warm_start = part("masked_lm"), part("warm_start")
    student, _ = warm_start.warm_started(teacher, pieces, vocabulary)
    student.eval()
    batch = masked_lm.chunks_of(" ".join(WORDS * 6), vocabulary, pieces, 16)

    def figures(seed: int) -> Any:
        with torch.no_grad():
            return masked_lm.losses(student, teacher, batch, torch.Generator().manual_seed(seed))[2]

    assert figures(1) == figures(1) != figures(2)
    assert figures(1).tokens == sum(len(c.student) for c in batch)
    monkeypatch.setattr(masked_lm, "MASKED", 0.0)
    with torch.no_grad():
        _, apart, seen = masked_lm.losses(student, teacher, batch, torch.Generator())
    # Nothing masked and every word known: the student's states are the teacher's.
    assert seen.cosine == pytest.approx(1.0, abs=1e-5)
    assert float(apart) == pytest.approx(0.0, abs=1e-5)


def test_the_rate_rises_stays_and_falls_and_more_steps_change_only_the_end(part: Any) -> None:
    rate = part("roberta_mini").rate
    assert rate(0, 1000) == pytest.approx(0.01)
    assert rate(99, 1000) == rate(600, 1000) == 1.0
    assert 0 < rate(900, 1000) < 1
    assert rate(1000, 1000) == 0.0
    assert [rate(i, 800) for i in range(560)] == [rate(i, 1600) for i in range(560)]


def test_a_checkpoint_gives_back_weights_and_moments(
    part: Any,
    vocabulary: Any,
    pieces: Any,
    teacher: Any,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    script: ModuleType = part("roberta_mini")
    monkeypatch.setattr(script, "RESULTS", tmp_path / "results")  # its log

    def begun() -> tuple[Any, Any]:
        student, _ = part("warm_start").warm_started(teacher, pieces, vocabulary)
        return student, torch.optim.AdamW(student.parameters(), lr=1e-3)

    def step(student: Any, optimiser: Any) -> None:
        student.eval()  # no dropout
        ids = torch.tensor([vocabulary.encode("two brothers run a film").ids])
        student(input_ids=ids, labels=ids).loss.backward()
        for parameter in student.parameters():
            if parameter.grad is None:
                parameter.grad = torch.zeros_like(parameter)
        optimiser.step()
        optimiser.zero_grad()

    assert script.resume(tmp_path, *begun()) == 0
    student, optimiser = begun()
    step(student, optimiser)
    script.save(tmp_path, student, optimiser, 1)
    again, its_optimiser = begun()
    assert script.resume(tmp_path, again, its_optimiser) == 1
    for pair in ((student, optimiser), (again, its_optimiser)):
        step(*pair)
    for one, other in zip(student.parameters(), again.parameters(), strict=True):
        assert torch.equal(one, other)
