"""TextAttack's attack recipes by the names of its command line: what each needs, and whether that is here.

`textattack:pwws` is a recipe, an attack on a model. `textattack:WordSwapQWERTY` is one of its transformations, noise
that needs no model (`perturb.external`). Recipes are lower case, transformations are class names.

Nothing is fetched while a run goes on: what a recipe would download must be here before it starts.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from robust_eval.errors import ModelError, RecipeError, did_you_mean
from robust_eval.perturb.external import (
    REFUSED,
    TEXTATTACK,
    TEXTATTACK_REMEDY,
    Scalar,
    check_parameters,
    require_nltk,
)
from robust_eval.perturb.registry import parameters_from
from robust_eval.perturb.tables import perturbations_folder


@dataclass(frozen=True, slots=True)
class Resource:
    """Something that TextAttack would fetch by itself.

    `where` is a path in NLTK's data, in TextAttack's cache or in flair's, an id on the model hub, or a module on TF hub.
    """

    kind: Literal["nltk", "cache", "flair", "hub", "tfhub"]
    where: str
    what: str = ""


STOPWORDS = Resource("nltk", "corpora/stopwords")
WORDNET = Resource("nltk", "corpora/wordnet")
TAGGER = Resource("nltk", "taggers/averaged_perceptron_tagger_eng")
TAGSET = Resource("nltk", "taggers/universal_tagset")
VECTORS = Resource("cache", "word_embeddings/paragramcf", "the counter-fitted word vectors")
SENTENCES = Resource("tfhub", "google/universal-sentence-encoder", "the Universal Sentence Encoder")
BERT = Resource("hub", "bert-base-uncased", "a masked language model")
ROBERTA = Resource("hub", "distilroberta-base", "a masked language model")
GPT2 = Resource("hub", "gpt2", "a language model")
NAMES = Resource("flair", "models/ner-english", "flair's recogniser of names")
LANGUAGE = Resource(
    "cache", "constraints/semantics/language-models/alzantot-goog-lm", "Google's language model"
)
WRITING = Resource(
    "cache", "constraints/grammaticality/language-models/learning-to-write", "a language model"
)
INFERSENT = Resource(
    "cache", "constraints/semantics/sentence-encoders/infersent-encoder", "the InferSent encoder"
)
SEMEMES = Resource(
    "cache", "transformations/hownet/word_candidates_sense.pkl", "HowNet's table of words"
)


@dataclass(frozen=True, slots=True)
class Known:
    """A recipe of theirs: its class in `textattack.attack_recipes`, the paper, and what it reads."""

    made_by: str
    source: str
    needs: tuple[Resource, ...] = (STOPWORDS,)
    parameters: Mapping[str, type] = field(default_factory=dict)


KNOWN: Mapping[str, Known] = {
    "deepwordbug": Known(
        "DeepWordBugGao2018",
        "Gao et al. (2018), arXiv:1801.04354",
        parameters={"use_all_transformations": bool},
    ),
    "pruthi": Known(
        "Pruthi2019",
        "Pruthi et al. (2019), arXiv:1905.11268",
        parameters={"max_num_word_swaps": int},
    ),
    "pwws": Known("PWWSRen2019", "Ren et al. (2019), ACL P19-1103", (STOPWORDS, WORDNET)),
    "leap": Known("LEAP2023", "LEAP (2023), arXiv:2308.11284", (STOPWORDS, WORDNET)),
    "input-reduction": Known("InputReductionFeng2018", "Feng et al. (2018), arXiv:1804.07781"),
    "textfooler": Known(
        "TextFoolerJin2019",
        "Jin et al. (2020), arXiv:1907.11932",
        (STOPWORDS, VECTORS, TAGGER, TAGSET, SENTENCES),
    ),
    "textbugger": Known(
        "TextBuggerLi2018", "Li et al. (2018), arXiv:1812.05271", (STOPWORDS, VECTORS, SENTENCES)
    ),
    "bae": Known(
        "BAEGarg2019",
        "Garg & Ramakrishnan (2020), arXiv:2004.01970",
        (STOPWORDS, TAGGER, TAGSET, BERT, SENTENCES),
    ),
    "bert-attack": Known(
        "BERTAttackLi2020", "Li et al. (2020), arXiv:2004.09984", (STOPWORDS, BERT, SENTENCES)
    ),
    "clare": Known("CLARE2020", "Li et al. (2020), arXiv:2009.07502", (STOPWORDS, ROBERTA, SENTENCES)),
    "checklist": Known("CheckList2020", "Ribeiro et al. (2020), arXiv:2005.04118", (STOPWORDS, NAMES)),
    "alzantot": Known(
        "GeneticAlgorithmAlzantot2018",
        "Alzantot et al. (2018), arXiv:1804.07998",
        (STOPWORDS, VECTORS, LANGUAGE),
    ),
    "faster-alzantot": Known(
        "FasterGeneticAlgorithmJia2019",
        "Jia et al. (2019), arXiv:1909.00986",
        (STOPWORDS, VECTORS, WRITING),
    ),
    "iga": Known("IGAWang2019", "Wang et al. (2019), arXiv:1909.06723", (STOPWORDS, VECTORS)),
    "pso": Known("PSOZang2020", "Zang et al. (2020), ACL 2020.acl-main.540", (STOPWORDS, SEMEMES)),
    "kuleshov": Known(
        "Kuleshov2017", "Kuleshov et al. (2018)", (STOPWORDS, VECTORS, INFERSENT, GPT2)
    ),
}  # fmt: skip
# Named so that whoever asks for them learns why not.
NOT_OFFERED: Mapping[str, str] = {
    "hotflip": "it needs a model's gradients; the models here give answers",
    "a2t": "it needs a model's gradients; the models here give answers",
    "bad-characters": "its search does not stop at a number of queries; the native proposal 'homoglyph' does the same edits",
    "morpheus": "it attacks translations; the models here answer questions",
    "seq2sick": "it attacks translations; the models here answer questions",
}


@dataclass(frozen=True, slots=True)
class TextattackRecipe:
    """One of TextAttack's recipes, with the parameters of its `build`; `bridge` runs it."""

    kind: str
    parameters: tuple[tuple[str, Scalar], ...] = ()

    @property
    def name(self) -> str:
        given = "&".join(f"{name}={str(value).lower()}" for name, value in self.parameters)
        return f"textattack:{self.kind}" + (f"?{given}" if given else "")

    @property
    def source(self) -> str:
        return KNOWN[self.kind].source

    @property
    def parts(self) -> str:
        """What makes it, for the record of a run: another version may attack otherwise."""
        try:
            version = importlib.metadata.version("textattack")
        except importlib.metadata.PackageNotFoundError:
            version = "not installed"
        return f"TextAttack {version}: {KNOWN[self.kind].made_by} {dict(self.parameters)}"


def textattack_recipe(kind: str, severities: str, query: str) -> TextattackRecipe | None:
    """The recipe that `textattack:KIND@SEVERITIES?QUERY` names; None for one of their transformations.

    Raises RecipeError for an unknown name (the nearest of both kinds beside it), a severity, a parameter that it does not have, or
    when the package is not installed; ModelError for what the recipe would have to fetch.
    """
    if kind in TEXTATTACK or f"textattack:{kind}" in REFUSED:
        return None
    name = f"textattack:{kind}"
    if why := NOT_OFFERED.get(kind):
        raise RecipeError(f"{name} is not offered: {why}")
    if kind not in KNOWN:
        meant = {known.made_by: recipe for recipe, known in KNOWN.items()}.get(kind)
        hint = f"; did you mean '{meant}'?" if meant else did_you_mean(kind, (*KNOWN, *TEXTATTACK))
        raise RecipeError(f"TextAttack has no recipe or transformation {kind!r} here{hint}")
    if severities:
        raise RecipeError(
            f"'{name}@{severities}': an attack has no severity; --attack-budget bounds it"
        )
    known = KNOWN[kind]
    parameters = parameters_from(name, query, known.parameters) if query else {}
    recipe = TextattackRecipe(kind, tuple(sorted(parameters.items())))
    require(recipe)
    return recipe


def textattack_table(table: Mapping[str, Any], where: str) -> TextattackRecipe:
    """The recipe of an `[[attack]]` table with the key `textattack`; `parameters` is a table."""
    kind, parameters = table["textattack"], table.get("parameters", {})
    for key in table:
        if key not in ("textattack", "parameters"):
            raise RecipeError(f"{where}: {key!r} does not go with 'textattack'")
    if not isinstance(kind, str) or not isinstance(parameters, dict):
        raise RecipeError(f"{where}: textattack is a recipe's name, parameters a table")
    if kind in TEXTATTACK or f"textattack:{kind}" in REFUSED:
        raise RecipeError(f"{where}: {kind!r} is a transformation; write it as a [[shift]]")
    try:
        textattack_recipe(kind, "", "")
        check_parameters(f"textattack:{kind}", KNOWN[kind].parameters, parameters)
    except RecipeError as error:
        raise RecipeError(f"{where}: {error}") from error
    return TextattackRecipe(kind, tuple(sorted(parameters.items())))


def describe_textattack() -> list[tuple[str, ...]]:
    """Rows of name, what the recipe needs beside the package, and its paper."""
    return [
        (f"textattack:{kind}", ", ".join(n.where for n in known.needs), known.source)
        for kind, known in KNOWN.items()
    ]


def require(recipe: TextattackRecipe) -> None:
    """Raises RecipeError without the package, ModelError for the first thing that is missing; nothing is imported."""
    ours = (perturbations_folder() / f"{recipe.kind}.toml").is_file()
    instead = f"; the recipe {recipe.kind!r} of our own does without" if ours else ""
    if importlib.util.find_spec("textattack") is None:
        raise RecipeError(
            f"{recipe.name} needs the package textattack: {TEXTATTACK_REMEDY}{instead}"
        )
    for need in KNOWN[recipe.kind].needs:
        if need.kind == "nltk":
            require_nltk(recipe.name, (need.where,))
        elif not _here(need):
            raise ModelError(
                f"{recipe.name} needs {need.what} ({need.where}); nothing is fetched during a run: "
                f"{_remedy(need)}{instead}"
            )


def _folder(need: Resource) -> Path:
    """Where the packages keep what they fetch."""
    if need.kind == "flair":
        return Path(os.environ.get("FLAIR_CACHE_ROOT") or Path.home() / ".flair")
    return Path(os.environ.get("TA_CACHE_DIR") or Path.home() / ".cache" / "textattack")


def _here(need: Resource) -> bool:
    if need.kind == "tfhub":
        # TextAttack points TF hub at its own cache when that is named.
        folder = os.environ.get("TA_CACHE_DIR") or os.environ.get("TFHUB_CACHE_DIR") or ""
        installed = importlib.util.find_spec("tensorflow_hub") is not None
        return installed and bool(folder) and any(Path(folder).glob("*/saved_model.pb"))
    if need.kind == "hub":
        from huggingface_hub import try_to_load_from_cache

        return isinstance(try_to_load_from_cache(need.where, "config.json"), str)
    return (_folder(need) / need.where).exists()


def _remedy(need: Resource) -> str:
    if need.kind == "tfhub":
        return (
            "pip install tensorflow tensorflow_hub, and set TFHUB_CACHE_DIR to a folder that holds "
            "the module"
        )
    if need.kind == "hub":
        return f"hf download {need.where}"
    variable = "FLAIR_CACHE_ROOT" if need.kind == "flair" else "TA_CACHE_DIR"
    return (
        f"run the recipe once with TextAttack's own command where there is a network, and copy {need.where} "
        f"into {_folder(need)} ({variable} names another folder)"
    )
