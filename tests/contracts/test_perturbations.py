"""What every registered perturbation promises, whatever the text."""

from __future__ import annotations

import dataclasses
import itertools
import json
import os
import re
from functools import cache
from itertools import islice
from pathlib import Path
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from robust_eval.data.demo import demo_source
from robust_eval.errors import DataError, RecipeError
from robust_eval.perturb import REGISTRY, files, literal, make, perturb_example
from robust_eval.perturb.draws import SEVERITIES
from robust_eval.perturb.gallery import GROUPS
from robust_eval.perturb.plan import NoisePlan
from robust_eval.records import FAMILIES, Example, Perturbation
from robust_eval.rng import digest, stream

NAMES = sorted(REGISTRY)
ON_TEXTS = [name for name in NAMES if not REGISTRY[name].needs]
NESTING = [name for name in NAMES if REGISTRY[name].nests]

SENTENCES = (
    *(
        f"{opening} the theater didn't {middle}, {closing}"
        for opening in (
            "Honestly, our neighbors thought that",
            '"I am sure," she said, "that',
            "It is a beautiful color but",
            "Their well-made film, which we are going to see tonight:",
        )
        for middle in (
            "receive the favorite character",
            "know whether it would be something for people",
            "believe in an interesting description of the whole story",
        )
        for closing in (
            "and you will definitely love it! Great music, too.",
            "because nothing here is really new; it's about 20 minutes too long.",
            'so we are not coming back before "the right time" (maybe next year).',
        )
    ),
    "James told Maria on May 5, 2020 that they are watching a lot of little films in London, 3 miles from here.",
    "Tonight the kids were playing in the small theater, and I think it's worth $5 to see them again.",
    "We need to talk about the same story: she wants to start now, he said, and there are two wonderful films in Paris, like Amelie.",
)
HARD = (
    "",
    " ",
    "\n\t ",
    ".",
    "a",
    "...",
    "😀😀 👩‍👩‍👧 🇫🇷🇩🇪 👍🏽",
    "\ud800",
    "abc \udfff def \ud83d",
    "e\u0301te\u0301 nai\u0308f",
    "नमस्ते दुनिया",
    "שלום עולם",
    "東京で映画を見た。",
    "ﬁn ß ŉ İstanbul ǅ",
    "\x00\x07\x1b[31m",
    "don't DON’T can't",
    "\r\n".join(["one", "two"]),
    "'" * 50,
    "a" * 300,
)
SPANS = ("positive", "Paris, France", "St. Louis", "12%", "not good", "U.S.")
any_text = st.one_of(
    st.text(max_size=200),
    st.text(alphabet=st.characters(), max_size=60),
    st.text(alphabet="abcdeE 'n.t-\u0301\u200d\ud800é😀", max_size=80),
    st.sampled_from(SENTENCES),
)


def perturbed(name: str, severity: int, text: str, seed: int = 0) -> str:
    return make(name, severity).perturb(text, stream(seed, name, text))


@pytest.mark.parametrize("name", NAMES)
def test_its_declaration_is_complete(name: str) -> None:
    kind = REGISTRY[name]
    assert re.fullmatch(r"[a-z]+(-[a-z]+)*", name)
    assert name.replace("-", "") == kind.__name__.lower()
    assert kind.group in GROUPS
    assert kind.family in FAMILIES
    assert kind.unit
    assert len(kind.RATES) == 5
    assert all(0 < rate <= 1 for rate in kind.RATES)
    assert list(kind.RATES) == sorted(kind.RATES)
    assert (kind.__doc__ or "").splitlines()[0].endswith((".", "`."))
    assert isinstance(make(name), Perturbation)
    assert make(name) == make(name, 3)


@pytest.mark.parametrize("name", NAMES)
def test_it_is_frozen(name: str) -> None:
    with pytest.raises((dataclasses.FrozenInstanceError, AttributeError, TypeError)):
        make(name).severity = 1  # type: ignore[attr-defined, misc]


@pytest.mark.parametrize("severity", [0, 6, -1, True, 2.0, "3"])
@pytest.mark.parametrize("name", NAMES)
def test_a_severity_off_the_scale_is_an_error(name: str, severity: object) -> None:
    with pytest.raises(RecipeError, match="1 to 5"):
        make(name, severity)  # type: ignore[arg-type]


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=15, deadline=None)
@given(text=any_text, severity=st.sampled_from(SEVERITIES), seed=st.integers(0, 2**64))
def test_any_text_gives_the_same_text_again(name: str, text: str, severity: int, seed: int) -> None:
    first = perturbed(name, severity, text, seed)
    assert isinstance(first, str)
    assert first == perturbed(name, severity, text, seed)


@pytest.mark.parametrize("name", NAMES)
def test_hard_texts_do_not_break_it(name: str) -> None:
    for text in HARD:
        for severity in SEVERITIES:
            assert isinstance(perturbed(name, severity, text), str)
    assert perturbed(name, 5, "") == ""


@pytest.mark.parametrize("name", ON_TEXTS)
def test_a_long_text_takes_no_more_than_linear_work(name: str) -> None:
    text = " ".join(SENTENCES) + " café "
    long = text * (100_000 // len(text) + 1)
    assert len(long) >= 100_000
    assert perturbed(name, 5, long) != long


@pytest.mark.parametrize("name", [name for name in NAMES if REGISTRY[name].needs])
def test_a_long_context_takes_no_more_than_linear_work(name: str) -> None:
    context = " ".join(SENTENCES) * (100_000 // len(" ".join(SENTENCES)) + 1)
    question = "What did James tell Maria in London in 2020?" * 200
    example = Example("1", {"context": context, "question": question}, "3 miles", "1")
    shifted, _ = perturb_example([make(name, 5)], example, seed=0, fields=["context"])
    assert len(shifted.inputs["context"]) > len(context)
    assert shifted.inputs["question"] == question


@pytest.mark.parametrize("name", NESTING)
@settings(max_examples=15, deadline=None)
@given(text=any_text, seed=st.integers(0, 2**32))
def test_every_severity_draws_equally_often(name: str, text: str, seed: int) -> None:
    after = set()
    for severity in SEVERITIES:
        rng = Random(seed)
        make(name, severity).perturb(text, rng)
        after.add(rng.random())
    assert len(after) == 1


@pytest.mark.parametrize("name", NESTING)
@settings(max_examples=15, deadline=None)
@given(text=any_text, seed=st.integers(0, 2**32))
def test_what_is_hit_at_a_severity_is_hit_alike_at_the_next(
    name: str, text: str, seed: int
) -> None:
    edits = [recorded_edits(name, severity, text, seed) for severity in SEVERITIES]
    for milder, harsher in itertools.pairwise(edits):
        assert milder <= harsher


@pytest.mark.parametrize("name", NAMES)
def test_a_rate_of_nothing_changes_nothing(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    class Zero(Random):
        def random(self) -> float:
            return 0.0

    kinds = (
        [part for part, _ in REGISTRY[name].PARTS] if name == "mixed-noise" else [REGISTRY[name]]
    )
    for kind in kinds:
        monkeypatch.setattr(kind, "RATES", (0.0,) * 5)
    for text in SENTENCES[:5]:
        assert make(name, 5).perturb(text, Zero()) == text


@pytest.mark.parametrize("name", ON_TEXTS)
def test_mean_dose_rises_with_severity_on_real_text(name: str) -> None:
    texts = real_texts()
    means = []
    for severity in SEVERITIES:
        chain = [make(name, severity)]
        doses = [
            perturb_example(chain, example_of(i, text), seed=0, fields=["text"])[1].edit_rate
            for i, text in enumerate(texts)
        ]
        means.append(sum(doses) / len(doses))
    assert means == sorted(means)
    assert means[-1] > means[0]
    assert means[-1] > 0


@pytest.mark.parametrize("name", ON_TEXTS)
def test_the_order_of_examples_does_not_matter(name: str) -> None:
    chain = [make(name)]
    examples = [example_of(i, text) for i, text in enumerate(SENTENCES[:10])]
    forwards = [perturb_example(chain, e, seed=7, fields=["text"]) for e in examples]
    backwards = [perturb_example(chain, e, seed=7, fields=["text"]) for e in reversed(examples)]
    assert forwards == backwards[::-1]


@pytest.mark.parametrize("name", ON_TEXTS)
@settings(max_examples=10, deadline=None)
@given(before=any_text, after=any_text, severity=st.sampled_from(SEVERITIES))
def test_label_words_and_protected_spans_stay_as_they_are(
    name: str, before: str, after: str, severity: int
) -> None:
    text = " ".join([before, *SPANS, after, *SPANS])
    example = Example("1", {"text": text, "other": text}, ("positive", "St. Louis"), "source")
    guards = [literal(span) for span in SPANS]
    shifted, _ = perturb_example(
        [make(name, severity)], example, seed=0, fields=["text"], protect=guards
    )
    for span in SPANS:
        assert shifted.inputs["text"].count(span) >= text.count(span)
    assert shifted.inputs["other"] == text
    assert (shifted.id, shifted.target, shifted.source_id) == ("1", example.target, "source")


def test_any_batch_any_order_and_any_number_of_processes_write_the_same_bytes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    texts = [*SENTENCES[::3], *HARD[:-1]]
    plans = [NoisePlan("noise", name, name, 3, 0, (make(name, 3),)) for name in ON_TEXTS]
    source, target = tmp_path / "in.jsonl", tmp_path / "out.jsonl"

    def written(order: list[str], batch: int, processes: int) -> list[bytes]:
        source.write_text("".join(json.dumps({"text": text}) + "\n" for text in order), "utf-8")
        monkeypatch.setattr(files, "BATCH_ROWS", batch)
        files.write_perturbed(source, target, plans, fields=("text",), seed=0, processes=processes)
        return target.read_bytes().splitlines(keepends=True)

    once = written(texts, 256, 1)
    assert len(once) == len(texts) * len(plans)
    assert written(texts, 5, 2) == once
    assert sorted(written(texts[::-1], 3, 1)) == sorted(once)


@pytest.mark.parametrize("name", NAMES)
def test_outputs_are_those_committed(name: str) -> None:
    path = Path(__file__).parent.parent / "golden" / "perturbations.json"
    golden = json.loads(path.read_text("utf-8"))
    assert golden[name] == golden_outputs(name), (
        "python tests/golden/make_perturbations.py, on purpose?"
    )


def golden_outputs(name: str) -> list[str]:
    texts = (*SENTENCES[:24:7], HARD[6], HARD[9], HARD[10], HARD[13], *SENTENCES[24:])
    made = [perturbed(name, severity, text) for text in texts for severity in SEVERITIES]
    return [text if len(text) <= 500 else f"{text[:100]} … {digest(text).hex()}" for text in made]


def example_of(i: int, text: str) -> Example:
    return Example(str(i), {"text": text}, "", str(i))


@cache
def real_texts() -> tuple[str, ...]:
    """Our own sentences, and reviews where the demo data or the test data are at hand."""
    texts = [*SENTENCES, "The café’s “crème brûlée” — naïve, I know — cost £4…"]
    try:
        rows = [
            row.values["text"] for row in islice(demo_source("demo:imdb").rows(), 0, 25_000, 800)
        ]
    except DataError:
        rows = []
    texts += [text[:1_000] for text in rows]
    folder = os.environ.get("ROBUST_EVAL_TEST_DATA")
    for path in sorted(Path(folder, "sst2").glob("*.tsv")) if folder else []:
        lines = path.read_text("utf-8", "replace").splitlines()[1:60]
        texts += [line.split("\t")[0] for line in lines]
    return tuple(texts)


def recorded_edits(name: str, severity: int, text: str, seed: int) -> set[tuple[int, int, str]]:
    """The edits that the perturbation makes, caught where it applies them."""
    import sys

    module = sys.modules[REGISTRY[name].__module__]
    caught: set[tuple[int, int, str]] = set()
    real = module.apply

    def spy(original: str, edits: object) -> str:
        caught.update((start, end, new) for _, start, end, new in edits)  # type: ignore[attr-defined]
        return str(real(original, edits))

    module.apply = spy
    try:
        make(name, severity).perturb(text, Random(int.from_bytes(digest(seed), "big")))
    finally:
        module.apply = real
    return caught
