"""The unlabelled reviews that `demo:roberta-mini` learns from, and which texts are kept out of them.

The rule is the demo's own: the IMDB pairing tests on reviews of at most 1,000 characters, so those are never read
here, and of Rotten Tomatoes nothing is. So no draw of the demo, whatever its seed, tests on a text of this corpus.
Test data from elsewhere come from the same sites: what they share with a longer review takes that review out.
"""

from __future__ import annotations

import gzip
import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from rapidfuzz.fuzz import partial_ratio

from robust_eval.data import load, ood_sets
from robust_eval.data.duplicates import normalised

SHINGLE = 5  # words
SHORTEST = 8  # words: a shorter text is a phrase that anybody may write, not a copy
COPIED = 0.5  # share of a text's shingles that one review holds: a copy, whatever surrounds it
SIMILAR = 0.2  # share from which the texts themselves are compared
RATIO = 85.0  # rapidfuzz's partial ratio, of 100: a copy with edits
NOT_TEXTS = {"lexical", "lexnorm2015_lexicon", "cot_prompts"}  # tables and prompts, nothing tested
FIELDS = ("text", "premise", "hypothesis", "context", "question")


@dataclass(frozen=True, slots=True)
class Overlap:
    """One set of evaluation texts against the corpus."""

    name: str
    texts: int
    too_short: int
    found: int  # texts that some review holds, whole or edited
    reviews: int  # reviews that were taken out for them


def candidates() -> list[str]:
    """IMDB reviews that are too long for the demo's pairing, in file order."""
    longest = ood_sets("rotten-tomatoes")[0].max_characters
    assert longest is not None
    reviews = [example.inputs["text"] for example in load("demo:imdb").examples]
    return [review for review in reviews if len(review) > longest]


def demo_texts() -> Iterator[tuple[str, list[str]]]:
    """The demo's own test texts: every draw of every seed is among them."""
    yield "demo:rotten-tomatoes", [e.inputs["text"] for e in load("demo:rotten-tomatoes").examples]
    longest = ood_sets("rotten-tomatoes")[0].max_characters or 0
    reviews = [example.inputs["text"] for example in load("demo:imdb").examples]
    yield f"demo:imdb, at most {longest:,} characters", [r for r in reviews if len(r) <= longest]


def folder_texts(folder: Path) -> Iterator[tuple[str, list[str]]]:
    """Every text field of every `NAME/SPLIT.jsonl.gz` under a folder of evaluation data."""
    for file in sorted(folder.glob("*/*.jsonl.gz")):
        if file.parent.name in NOT_TEXTS:
            continue
        texts: dict[str, None] = {}
        with gzip.open(file, "rt", encoding="utf-8") as lines:
            for line in lines:
                row = json.loads(line)
                texts.update(dict.fromkeys(row[f] for f in FIELDS if isinstance(row.get(f), str)))
        yield f"{file.parent.name}/{file.name.removesuffix('.jsonl.gz')}", list(texts)


def without_overlap(
    reviews: Sequence[str], sets: Sequence[tuple[str, list[str]]]
) -> tuple[list[str], list[Overlap]]:
    """The reviews that hold no evaluation text, and what was found, set by set."""
    texts = [(name, normalised(text)) for name, found in sets for text in found]
    shingles: dict[int, list[int]] = {}
    sizes: dict[int, int] = {}
    for number, (_, text) in enumerate(texts):
        if len(words := text.split()) >= SHORTEST:
            own = _shingles(words)
            sizes[number] = len(own)
            for shingle in own:
                shingles.setdefault(shingle, []).append(number)
    kept: list[str] = []
    found_by: dict[str, set[int]] = {name: set() for name, _ in sets}
    reviews_of: Counter[str] = Counter()
    for review in reviews:
        plain = normalised(review)
        shared = Counter(n for s in _shingles(plain.split()) for n in shingles.get(s, ()))
        held = [n for n, count in shared.items() if _holds(plain, texts[n][1], count / sizes[n])]
        for number in held:
            found_by[texts[number][0]].add(number)
        reviews_of.update({texts[number][0] for number in held})
        if not held:
            kept.append(review)
    short = Counter(name for n, (name, _) in enumerate(texts) if n not in sizes)
    return kept, [
        Overlap(name, len(found), short[name], len(found_by[name]), reviews_of[name])
        for name, found in sets
    ]


def table(overlaps: Sequence[Overlap]) -> str:
    """The overlaps as a Markdown table."""
    rows = [
        f"| {o.name} | {o.texts:,} | {o.too_short:,} | {o.found:,} | {o.reviews:,} |"
        for o in overlaps
    ]
    head = "| evaluation texts | texts | too short | found in reviews | reviews taken out |"
    return "\n".join([head, "|---|---|---|---|---|", *rows])


def _holds(review: str, text: str, share: float) -> bool:
    return share >= COPIED or (share >= SIMILAR and partial_ratio(text, review) >= RATIO)


def _shingles(words: Sequence[str]) -> set[int]:
    # Within one process only, so that Python's own hash does.
    return {hash(tuple(words[i : i + SHINGLE])) for i in range(len(words) - SHINGLE + 1)}
