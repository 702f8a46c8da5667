"""Which words of a text a shift replaced, added or lost, spelling aside."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Final

from rapidfuzz.distance import Indel, Levenshtein

from robust_eval.perturb.distractors import Tautologies
from robust_eval.perturb.tables import list_table

WORD: Final = re.compile(r"\w+(?:['’]\w+)*")
SENTENCE_END: Final = re.compile(r"[.!?]")
ALIKE: Final = 0.6  # Indel similarity from which two words count as one, written differently
PHRASES: Final = "|".join(Tautologies.KINDS["any"])
TAUTOLOGY: Final = re.compile(rf"(?i)\s+and\s+(?:{PHRASES})\b|\s+(?:{PHRASES})\.(?=\s|\Z)")
STEM: Final = 4  # letters that two forms of one word share at the beginning
LOST: Final = 0.5  # weight of a word left out, which often leaves the label to others
SENTENCE: Final = 3  # so many words added between two sentences are a sentence of their own
MOST: Final = 4_000  # words of a text that are compared; the alignment is quadratic
FUNCTION_WORDS: Final = frozenset(
    [
        "a",
        "an",
        "the",
        "and",
        "or",
        "but",
        "if",
        "of",
        "to",
        "in",
        "on",
        "at",
        "by",
        "for",
        "with",
        "from",
        "as",
        "is",
        "was",
        "are",
        "were",
        "be",
        "been",
        "being",
        "am",
        "it",
        "its",
        "it's",
        "this",
        "that",
        "these",
        "those",
        "there",
        "here",
        "he",
        "she",
        "they",
        "we",
        "you",
        "i",
        "him",
        "her",
        "them",
        "us",
        "me",
        "my",
        "your",
        "his",
        "their",
        "our",
        "who",
        "which",
        "what",
        "when",
        "where",
        "how",
        "do",
        "does",
        "did",
        "has",
        "have",
        "had",
        "will",
        "would",
        "can",
        "could",
        "may",
        "might",
        "shall",
        "should",
        "so",
        "than",
        "then",
        "too",
        "very",
        "just",
        "also",
        "about",
        "into",
        "over",
        "under",
        "up",
        "down",
        "out",
        "off",
        "all",
        "any",
        "some",
        "such",
        "one",
    ]
)


@dataclass(frozen=True, slots=True)
class WordChange:
    replaced: float  # content words that became another word, neighbours in spelling counted half
    lost: int  # content words without anything like them in their place
    added: int  # known content words put in
    content: int  # content words of the original
    negation: bool  # a negation came or went

    @property
    def share(self) -> float:
        """Content words that are others now, over those of the original."""
        changed = self.replaced + self.added + LOST * self.lost
        return min(1.0, changed / max(1, self.content))


@cache
def negations() -> frozenset[str]:
    """Words that turn a statement round, with straight apostrophes."""
    return frozenset(word.lower() for word in list_table("negations"))


@cache
def fillers() -> frozenset[str]:
    """Words that say nothing where they are put in: `honestly`, `you know`."""
    return frozenset(word for line in list_table("fillers") for word in words_of(line))


def words_of(text: str) -> list[str]:
    """Words and numbers, in lower case with straight apostrophes."""
    return [match.group().lower().replace("’", "'") for match in WORD.finditer(text)][:MOST]


def without_additions(original: str, shifted: str) -> str:
    """The shifted text without whole sentences put between the original's, and without tautologies.

    Such additions leave the original as it was; what they say is not looked at.
    """
    text = TAUTOLOGY.sub("", shifted) if TAUTOLOGY.search(shifted) else shifted
    around = text.partition(core) if (core := original.strip()) else ("", "", "")
    if around[1] and _closed(around[0]) and _opens(around[2]):
        return original
    before, spans = words_of(original), [match.span() for match in WORD.finditer(text)][:MOST]
    after = words_of(text)
    old_starts, new_starts = _sentence_starts(original), _sentence_starts(text)
    pieces, position = [], 0
    for tag, i, _, k, m in _edits(before, after):
        whole = m - k >= SENTENCE and i in old_starts and k in new_starts and m in new_starts
        if tag != "insert" or not whole:
            continue
        end = spans[m][0] if m < len(spans) else len(text)
        if m == len(spans):  # at the end: the space before it goes too
            pieces.append(text[position : spans[k][0]].rstrip())
        else:
            pieces.append(text[position : spans[k][0]])
        position = end
    return "".join((*pieces, text[position:]))


def _closed(text: str) -> bool:
    """Whether what stands before the original ends a sentence."""
    return not text.strip() or text.rstrip().rstrip("\"'”’)]")[-1:] in tuple(".!?…")


def _opens(text: str) -> bool:
    """Whether what stands behind the original begins a sentence."""
    return not text.strip() or text.lstrip()[:1].isupper()


def change(original: str, shifted: str, known: frozenset[str]) -> WordChange:
    """What became of the original's words. A word counts as another one only when it is `known`: else it is noise."""
    before, after = words_of(original), words_of(shifted)
    replaced = 0.0
    lost = added = 0
    negation = False
    # A word that only moved is not gone; one that was there already has not come, a second "not" aside.
    fewer = Counter(before) - Counter(after)
    came = Counter(after) - Counter(before)
    others = {w for w in came if _negates(w) or (w in known and w not in before)}
    for old, new in _differing(before, after):
        gone = [word for word in old if word in fewer and not _has_like(word, new)]
        come = [word for word in new if word in others and not _same(word, old)]
        negation |= any(_negates(word) for word in (*gone, *come))
        gone_content = [word for word in gone if word not in FUNCTION_WORDS]
        come_content = [w for w in come if w not in FUNCTION_WORDS and w not in fillers()]
        swapped = min(len(gone_content), len(come_content))
        near = sum(_has_like(word, old) for word in come_content)
        replaced += swapped + 0.5 * min(near, len(come_content) - swapped)
        lost += len(gone_content) - swapped
        added += max(0, len(come_content) - swapped - near)
    content = sum(word not in FUNCTION_WORDS for word in before)
    return WordChange(replaced, lost, added, content, negation)


def _differing(before: list[str], after: list[str]) -> Iterator[tuple[list[str], list[str]]]:
    """The stretches that differ, (old words, new words); edits side by side are one stretch."""
    old: list[str] = []
    new: list[str] = []
    for tag, i, j, k, m in _edits(before, after):
        if tag != "equal":
            old += before[i:j]
            new += after[k:m]
        elif old or new:
            yield old, new
            old, new = [], []
    if old or new:
        yield old, new


def _edits(before: list[str], after: list[str]) -> list[tuple[str, int, int, int, int]]:
    """(kind, start and end in the one list, start and end in the other), in order, equal stretches too."""
    return [
        (op.tag, op.src_start, op.src_end, op.dest_start, op.dest_end)
        for op in Levenshtein.opcodes(before, after)
    ]


def _negates(word: str) -> bool:
    return word in negations() or word.endswith("n't")


def _has_like(word: str, others: Sequence[str]) -> bool:
    """Whether the word is still there, misspelt, run into its neighbour or split."""
    if not others:
        return False
    if len(word) >= 3 and word.replace("'", "") in "".join(others).replace("'", ""):
        return True
    return any(
        Indel.normalized_similarity(word, other) >= ALIKE or Levenshtein.distance(word, other) <= 1
        for other in others
    )


def _same(word: str, others: Sequence[str]) -> bool:
    """Whether a known word is only another form of one of these."""
    joined = "".join(others).replace("'", "")
    if others and word.replace("'", "") in joined:
        return True
    return any(
        other[:STEM] == word[:STEM] and Indel.normalized_similarity(word, other) >= ALIKE
        for other in others
    )


def _sentence_starts(text: str) -> set[int]:
    """Positions among the words at which a sentence begins, or the text ends."""
    matches = list(WORD.finditer(text))[:MOST]
    starts = {0, len(matches)}
    for i in range(1, len(matches)):
        if SENTENCE_END.search(text, matches[i - 1].end(), matches[i].start()):
            starts.add(i)
    return starts
