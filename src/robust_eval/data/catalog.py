"""Data sets known by name: only what is pinned is listed.

Each Hub commit below was checked against independent public projects that pin the same one. None of them could be
downloaded where this was written; the demo data are the part that the test suite runs.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from robust_eval.data.source import Source

TWEET_EVAL_REVISION = "b3a375baf0f409c77e6bc7aa35102b7b3534f8be"
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
PARAPHRASE: Mapping[str, str] = {
    "0": "different",
    "1": "paraphrase",
    "not_duplicate": "different",
    "duplicate": "paraphrase",
    "not_equivalent": "different",
    "equivalent": "paraphrase",
}
OFFENSIVE: Mapping[str, str] = {
    "0": "not-offensive",
    "1": "offensive",
    "non-offensive": "not-offensive",
    "not-offensive": "not-offensive",
    "offensive": "offensive",
}
TOPICS: Mapping[str, str] = {
    "World": "world",
    "Sports": "sports",
    "Business": "business",
    "Sci/Tech": "sci_tech",
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
ZHANG_CHARACTERS = "Zhang et al. (2015), arXiv:1509.01626"
ZHANG_PAWS = "Zhang et al. (2019), arXiv:1904.01130"
BARBIERI = "Barbieri et al. (2020), arXiv:2010.12421"
NIE = "Nie et al. (2020), arXiv:1910.14599"
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
        KnownData(
            name="rte",
            hub_id="nyu-mll/glue",
            config="rte",
            revision=GLUE_REVISION,
            test_split="validation",  # the test splits' labels are hidden, here and below
            train_split="train",
            label_map={"entailment": "entailment", "not_entailment": "not_entailment"},
            licence=UNSTATED,
            paper="Wang et al. (2019), arXiv:1804.07461",
        ),
        KnownData(
            name="qqp",
            hub_id="nyu-mll/glue",
            config="qqp",
            revision=GLUE_REVISION,
            test_split="validation",
            train_split="train",
            label_map=PARAPHRASE,
            columns={"premise": "question1", "hypothesis": "question2"},
            licence="Quora's terms of service",
            paper="Wang et al. (2019), arXiv:1804.07461",
        ),
        KnownData(
            name="mrpc",
            hub_id="nyu-mll/glue",
            config="mrpc",
            revision=GLUE_REVISION,
            test_split="test",
            train_split="train",
            label_map=PARAPHRASE,
            licence=UNSTATED,
            paper="Dolan & Brockett (2005), https://aclanthology.org/I05-5002",
        ),
        KnownData(
            name="paws",
            hub_id="google-research-datasets/paws",
            config="labeled_final",
            revision="161ece9501cf0a11f3e48bd356eaa82de46d6a09",
            test_split="test",
            train_split="train",
            label_map=PARAPHRASE,
            licence="free use with acknowledgement",
            paper=ZHANG_PAWS,
        ),
        KnownData(
            name="yelp",
            hub_id="fancyzhx/yelp_polarity",
            revision="bbf1c97a1f0cf005e5aded43839fd814654a1557",
            test_split="test",
            train_split="train",
            label_map={"1": "negative", "2": "positive"},  # the names of its classes
            licence="Yelp data set licence",
            paper=ZHANG_CHARACTERS,
        ),
        KnownData(
            name="amazon",
            hub_id="fancyzhx/amazon_polarity",
            revision="9d9c45c18f8c3cf1b23a3c27917b60cbf28f3289",
            test_split="test",
            train_split="train",
            label_map=SENTIMENT,
            columns={"text": "content"},
            licence="Apache-2.0, as uploaded",
            paper=ZHANG_CHARACTERS,
        ),
        KnownData(
            name="tweet-sentiment",
            hub_id="cardiffnlp/tweet_eval",
            config="sentiment",
            revision=TWEET_EVAL_REVISION,
            test_split="test",
            train_split="train",
            label_map={"negative": "negative", "neutral": "neutral", "positive": "positive"},
            licence="restricted by task and by Twitter",
            paper=BARBIERI,
        ),
        KnownData(
            name="tweet-offensive",
            hub_id="cardiffnlp/tweet_eval",
            config="offensive",
            revision=TWEET_EVAL_REVISION,
            test_split="test",
            train_split="train",
            label_map=OFFENSIVE,
            licence="restricted by task and by Twitter",
            paper=BARBIERI,
        ),
        KnownData(
            name="ag-news",
            hub_id="fancyzhx/ag_news",
            revision="eb185aade064a813bc0b7f42de02595523103ca4",
            test_split="test",
            train_split="train",
            label_map=TOPICS,
            licence="non-commercial use, as its authors state",
            paper=ZHANG_CHARACTERS,
        ),
        KnownData(
            name="anli-r1",
            hub_id="facebook/anli",
            revision="8e4813d81f46d313dac7892e1c28076917cfcdf9",
            test_split="test_r1",
            train_split="train_r1",
            label_map=NLI,
            licence="CC BY-NC 4.0",
            paper=NIE,
        ),
        KnownData(
            name="anli-r3",
            hub_id="facebook/anli",
            revision="8e4813d81f46d313dac7892e1c28076917cfcdf9",
            test_split="test_r3",
            train_split="train_r3",
            label_map=NLI,
            licence="CC BY-NC 4.0",
            paper=NIE,
        ),
        KnownData(
            name="wanli",
            hub_id="alisawuffles/WANLI",
            revision="61c95318fd71c55b6ba355d76253254615f387ec",
            test_split="test",
            train_split="train",
            label_map=NLI,
            columns={"label": "gold"},
            licence="CC BY 4.0",
            paper="Liu et al. (2022), arXiv:2201.05955",
        ),
        KnownData(
            name="squad",
            hub_id="rajpurkar/squad",
            revision="7b6d24c440a36b6815f21b70d25016731768db1f",
            test_split="validation",
            train_split="train",
            label_map={},
            licence="CC BY-SA 4.0",
            paper="Rajpurkar et al. (2016), arXiv:1606.05250",
        ),
    )
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
