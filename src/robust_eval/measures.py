"""What is measured of shifted examples and sets. `records` names these too, and is where others take them from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Dose:
    """How much one example really changed, whatever the severity asked for."""

    edit_rate: float  # Levenshtein distance over the longer text's length, in characters, [0, 1]
    words_added: int  # white-space words after minus before
    changed: bool


@dataclass(frozen=True, slots=True)
class Preservation:
    """Whether an example plausibly kept its label. `reasons` is empty unless it is a suspect."""

    edit_rate: float  # as in Dose, sentences added whole aside
    similarity: float | None  # cosine of the two texts' embeddings; None without an encoder
    content_change: float  # content words replaced, added or lost over those of the original
    negation_changed: bool  # a negation came or went
    intact: bool  # every protected span is still there
    readable: float  # share of the words that are known, over that share in the original; at most 1
    suspicion: float  # the largest of the measures over its threshold: 1 or more is a suspect
    reasons: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ShiftSize:
    """How far a set is from the clean one; `validity.shift_size` says how each is measured."""

    classifier_error: float  # of telling shifted from clean texts: 0.5 when nobody could
    proxy_a_distance: float  # 0 to 2
    vocabulary_overlap: float  # Jaccard index, 0 to 1
    new_words: float  # share of the words
    length_ratio: float  # mean characters, shifted over clean
    embedding_distance: float | None = None  # 1 - cosine of the mean embeddings
    mmd: float | None = None
    encoder: str = ""
    texts: tuple[int, int] = (0, 0)  # how many of each side were looked at


@dataclass(frozen=True, slots=True)
class Estimate:
    """A figure with its interval. `low` and `high` are the bounds at `level`."""

    value: float
    low: float
    high: float
    n: int
    level: float
    method: str


@dataclass(frozen=True, slots=True)
class HumanGap:
    """One model's drop on one set, or on all judged sets together (`set_key` None), corrected by people."""

    model: str
    set_key: str | None
    metric: str
    judged: int  # examples
    kept: Estimate  # share of labels that survived
    drop: Estimate  # on all examples, as it was
    drop_kept: Estimate | None  # on those whose label survived; None when hardly any did


@dataclass(frozen=True, slots=True)
class HumanCheck:
    judged: int  # shifted examples with a judgement
    survived: float  # share of the judged whose label survived, plain
    controls: int  # clean examples with a judgement
    controls_agreed: Estimate | None  # share of them that people gave the recorded label
    agreement: float | None  # share of pairs of judges who agree, over items that several judged
    blank: int
    sheets: tuple[str, ...]  # content hashes
    rows: tuple[HumanGap, ...] = ()


# --- of attacks ----------------------------------------------------------------------------------

AttackOutcome = Literal["succeeded", "failed", "skipped"]


@dataclass(frozen=True, slots=True)
class AttackResult:
    """How the attack on one example ended. Only a success changes the text; `skipped` was wrong when clean."""

    outcome: AttackOutcome
    queries: int  # different texts asked, the clean one among them
    unanswered: int  # of these, requests that failed
    words: int  # in the original's changeable fields
    words_changed: int
    control: AttackOutcome | None = None  # of random changes with as many queries; None: not run


@dataclass(frozen=True, slots=True)
class SharedChange:
    """One change that an attack makes for many examples at once, found on development examples.

    Those are no part of the set: what a set's examples lose was not searched for on them.
    """

    place: Literal["instruction", "prefix", "suffix"]  # what it replaces, or where it is put
    label: str  # the right label of the examples that it is for; empty for all
    before: str  # the text it replaces; empty where it is put beside one
    after: str  # the same as before, or empty, where nothing was found
    development: int  # examples that the search asked about
    score_before: float  # on those, by the primary metric
    score_after: float
    queries: int  # versions tried, each on all development examples
    unanswered: int  # requests of the search that failed
    words: int  # that might change
    words_changed: int
