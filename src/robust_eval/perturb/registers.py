"""Register by rule: formal and informal, archaic and biblical, frames of law and software, translated text, padding.

Words of praise and blame, degree words and negations stay as they are: what changes is how a thing is said, not what.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from random import Random
from typing import ClassVar

from robust_eval.perturb.distractors import irrelevant, places_hit
from robust_eval.perturb.draws import Edit, Rated, Rates, apply, hits, pick
from robust_eval.perturb.rules import Rule, phrases, rewritten
from robust_eval.perturb.tables import list_table, words_table
from robust_eval.records import Family

BY_SHARE: Rates = (0.20, 0.40, 0.60, 0.80, 1.00)
# Words with more readings than the register has counterparts for: they change in one place only.
SAFE_PLACE = {
    "about": r"about(?= \d)", "like": r"like(?= (?-i:[A-Z])[a-z])", "more": r"more(?= \w+s\b)",
    "so": r"(?<=[,;] )so(?= (?:i|we|you|he|she|it|they|the)\b)", "but": r"(?<=[.;!?] )but", "use": r"(?<=to )use",
    "show": r"(?<=to )show", "start": r"(?<=to )start", "help": r"(?<=to )help", "need": r"(?<=i )need(?= (?:a|an|the|more|some)\b)|(?<=we )need(?= (?:a|an|the|more|some)\b)",
    "needs": r"needs(?= (?:a|an|the|more|some)\b)", "tell": r"tell(?= (?:me|us|you|him|her|them)\b)", "told": r"told(?= (?:me|us|you|him|her|them)\b)",
    "let": r"let(?= (?:me|us|him|her|them|the|you)\b)", "big": r"(?<=a )big", "check": r"(?<=to )check", "try": r"(?<=to )try",
    "think": r"(?<=i )think|(?<=we )think|(?<=they )think", "get": r"(?<=to )get(?= (?:a|an|the|some|my|our)\b)",
    "gets": r"gets(?= (?:a|an|the|some)\b)", "got": r"got(?= (?:a|an|the|some)\b)", "keep": r"(?<=to )keep(?= (?:the|a|an|it|them)\b)",
    "keeps": r"keeps(?= (?:the|a|an|it|them)\b)", "now": r"(?<=\w )now(?=[.,;!?])", "only": r"only(?= (?:for|by|on|in|to|with)\b)",
}  # fmt: skip


@cache
def to_formal() -> tuple[Rule, ...]:
    """The rule from the informal to the formal side of the table."""
    table = words_table("formal")
    return phrases(
        {
            SAFE_PLACE.get(word, re.escape(word).replace("\\ ", " ")): options
            for word, options in table.items()
        }
    )


@cache
def to_informal() -> tuple[Rule, ...]:
    """Rules the other way round; the first informal form listed for a formal one is taken."""
    back: dict[str, str] = {}
    for word, (formal, *_) in words_table("formal").items():
        back.setdefault(formal, word)
    back.pop("such as", None)
    return phrases({re.escape(formal).replace("\\ ", " "): word for formal, word in back.items()})


@dataclass(frozen=True, slots=True)
class FormalRegister(Rated):
    """Say things formally: `talk about` becomes `discuss`, `kids` `children`, `I'm` `I am`.

    Source: formality as word choice, Heylighen & Dewaele (1999); the pairs are our own, perturbations/tables/formal.tsv.
    """

    name: ClassVar[str] = "formal-register"
    group: ClassVar[str] = "register"
    family: ClassVar[Family] = "domain"
    unit: ClassVar[str] = "phrases that the table knows"
    RATES: ClassVar[Rates] = BY_SHARE
    PRONOUNS: ClassVar[tuple[Rule, ...]] = phrases(
        {"i['’]m": "I am", "i['’]ve": "I have", "(you|we|they)['’]re": r"\1 are", "(you|we|they)['’]ve": r"\1 have",
         "(i|you|he|she|it|we|they)['’]ll": r"\1 will", "gonna": "going to", "wanna": "want to", "yeah|yep": "yes",
         "ok|okay": "acceptable", "kinda|sorta": "somewhat"}
    )  # fmt: skip

    def perturb(self, text: str, rng: Random) -> str:
        return apply(text, rewritten(text, rng, self.rate, (*to_formal(), *self.PRONOUNS)))


@dataclass(frozen=True, slots=True)
class InformalRegister(Rated):
    """Say things casually: `children` becomes `kids`, `going to` `gonna`, `I am` `I'm`.

    Source: as formal-register, in the other direction.
    """

    name: ClassVar[str] = "informal-register"
    group: ClassVar[str] = "register"
    family: ClassVar[Family] = "domain"
    unit: ClassVar[str] = "phrases that the table knows"
    RATES: ClassVar[Rates] = BY_SHARE
    SPOKEN: ClassVar[tuple[Rule, ...]] = phrases(
        {"going to (?!(?:the|a|an|my|our)\\b)": "gonna ", "want to": "wanna", "got to": "gotta", "i am": "I'm", "(you|we|they) are": r"\1're",
         "(i|you|we|they) have been": r"\1've been", "because": "'cause", "yes": "yeah", "isn['’]t it": "innit", "them": "'em",
         "somewhat": "kinda", "television": "TV", "movie|film": "flick", "friends": "pals", "friend": "pal", "until": "till", "about": "'bout"}
    )  # fmt: skip

    def perturb(self, text: str, rng: Random) -> str:
        return apply(text, rewritten(text, rng, self.rate, (*to_informal(), *self.SPOKEN)))


@dataclass(frozen=True, slots=True)
class ArchaicRegister(Rated):
    """Use forms of Early Modern English: `thy`, `hath`, `doth`, `'tis`, `betwixt`.

    `you` becomes `thou` only before a verb whose old form is known, so that the two agree.

    Source: Barber (1997), Early Modern English, ch. 5; the forms are a list of our own.
    """

    name: ClassVar[str] = "archaic-register"
    group: ClassVar[str] = "register"
    family: ClassVar[Family] = "domain"
    unit: ClassVar[str] = "phrases that a rule knows"
    RATES: ClassVar[Rates] = BY_SHARE
    RULES: ClassVar[tuple[Rule, ...]] = phrases(
        {"you are": "thou art", "you have": "thou hast", "you were": "thou wert", "you will": "thou wilt", "you can": "thou canst", "you do": "thou dost",
         "your (?=[aeiou])": "thine ", "your (?=[b-df-hj-np-tv-z])": "thy ", "yours": "thine", "has": "hath", "does": "doth", "says": "saith",
         "it is": "'tis", "it was": "'twas", "it will": "'twill", "between": "betwixt", "perhaps|maybe": "perchance", "before": "ere",
         "often": "oft", "among": "amongst", "while": "whilst", "soon": "anon",
         "truly|really": "verily", "over": "o'er", "ever": "e'er", "told": "did tell", "nearby": "nigh", "enough": "enow",
         "why": "wherefore", "yes": "aye", "listen": "hark", "look": "behold", "wrote": "writ", "spoke": "spake", "shows": "showeth",
         "makes": "maketh", "seems": "seemeth", "comes": "cometh", "goes": "goeth", "knows": "knoweth", "gives": "giveth", "takes": "taketh"}
    )  # fmt: skip

    def perturb(self, text: str, rng: Random) -> str:
        return apply(text, rewritten(text, rng, self.rate, self.RULES))


@dataclass(frozen=True, slots=True)
class BiblicalRegister(Rated):
    """Join and open sentences as the King James Bible does: `And it came to pass`, `Behold`.

    A sentence that begins with a plain article, pronoun or noun gets an opening; the sentence itself stays as it is.

    Source: the openings of the King James Bible (1611), in the public domain.
    """

    name: ClassVar[str] = "biblical-register"
    group: ClassVar[str] = "register"
    family: ClassVar[Family] = "domain"
    unit: ClassVar[str] = "sentences"
    adds_only: ClassVar[bool] = True
    RATES: ClassVar[Rates] = BY_SHARE
    OPENINGS: ClassVar[tuple[str, ...]] = (
        "Behold: ", "And it came to pass. ", "Verily I say unto you: ", "And lo: ", "Hear ye. ", "So it is written: ", "Selah. ",
    )  # fmt: skip
    STARTS: ClassVar[re.Pattern[str]] = re.compile(r"(?:\A|(?<=[.!?]\s))(?=[\"“'‘(]?[^\W\d_])")

    def perturb(self, text: str, rng: Random) -> str:
        starts = [match.start() for match in self.STARTS.finditer(text)]
        return apply(
            text,
            [
                Edit(draw, starts[k], starts[k], pick(draw, self.OPENINGS))
                for draw, k in hits(rng, len(starts), self.rate)
            ],
        )


def framed(text: str, rng: Random, rate: float, lines: tuple[str, ...], gap: str) -> list[Edit]:
    """Lines before and after the text: a share of five places, alternating, each line once."""
    if not text.strip():
        places_hit(rng, rate)
        return []
    edits = []
    used: set[int] = set()
    for draw, place in places_hit(rng, rate):
        index = pick(draw, range(len(lines)))
        while index in used:
            index = (index + 1) % len(lines)
        used.add(index)
        at = 0 if place % 2 else len(text)
        added = f"{lines[index]}{gap}" if place % 2 else f"{gap}{lines[index]}"
        edits.append(Edit(draw, at, at, added))
    return sorted(edits, key=lambda edit: (edit.start, edit.draw))


@dataclass(frozen=True, slots=True)
class LegalBoilerplate(Rated):
    """Put notices and terms before and after the text: `All rights reserved`.

    Source: our own sentences, perturbations/tables/legal.txt; they name nothing that a review could be about.
    """

    name: ClassVar[str] = "legal-boilerplate"
    group: ClassVar[str] = "register"
    family: ClassVar[Family] = "domain"
    unit: ClassVar[str] = "5 sentences"
    adds_only: ClassVar[bool] = True
    RATES: ClassVar[Rates] = BY_SHARE

    def perturb(self, text: str, rng: Random) -> str:
        return apply(text, framed(text, rng, self.rate, list_table("legal"), " "))


@dataclass(frozen=True, slots=True)
class TechnicalBoilerplate(Rated):
    """Put lines that software leaves before and after the text: `Content-Type: text/plain`.

    Source: our own lines, perturbations/tables/technical.txt.
    """

    name: ClassVar[str] = "technical-boilerplate"
    group: ClassVar[str] = "register"
    family: ClassVar[Family] = "domain"
    unit: ClassVar[str] = "5 lines"
    adds_only: ClassVar[bool] = True
    RATES: ClassVar[Rates] = BY_SHARE

    def perturb(self, text: str, rng: Random) -> str:
        return apply(text, framed(text, rng, self.rate, list_table("technical"), "\n"))


NEEDLES = ("start", "middle", "end")


@dataclass(frozen=True, slots=True)
class ContextPadding(Rated):
    """Bury the text in up to 100 sentences about other things. `needle` says where it stands: start, middle or end.

    Sentences come from perturbations/tables/irrelevant.txt; a list that runs out begins again.

    Source: position in a long context, Liu et al. (2023), arXiv:2307.03172.
    """

    name: ClassVar[str] = "context-padding"
    group: ClassVar[str] = "register"
    family: ClassVar[Family] = "domain"
    unit: ClassVar[str] = "100 sentences"
    adds_only: ClassVar[bool] = True
    RATES: ClassVar[Rates] = (0.05, 0.10, 0.20, 0.50, 1.00)
    CHOICES: ClassVar[Mapping[str, Sequence[str]]] = {"needle": NEEDLES}

    needle: str = "middle"

    def perturb(self, text: str, rng: Random) -> str:
        sentences = irrelevant()
        draws = [rng.random() for _ in range(100)]
        if not text.strip():
            return text
        first = pick(draws[0], range(len(sentences)))
        edits = []
        for place, draw in enumerate(draws[: round(self.rate * 100)]):
            before = self.needle == "end" or (self.needle == "middle" and place % 2 == 0)
            sentence = sentences[(first + place) % len(sentences)][0]
            at = 0 if before else len(text)
            edits.append(Edit(draw, at, at, f"{sentence} " if before else f" {sentence}"))
        return apply(text, sorted(edits, key=lambda edit: edit[1]))


@dataclass(frozen=True, slots=True)
class Translationese(Rated):
    """Write as translations do: `that` spelt out, no contractions, `of` for `'s`, more connectives.

    Negated contractions are written out too (`don't` becomes `do not`), which keeps the negation.

    Source: explicitation and normalisation, Volansky, Ordan & Wintner (2015), doi:10.1093/llc/fqt031.
    """

    name: ClassVar[str] = "translationese"
    group: ClassVar[str] = "register"
    family: ClassVar[Family] = "domain"
    unit: ClassVar[str] = "phrases that a rule knows"
    RATES: ClassVar[Rates] = BY_SHARE
    RULES: ClassVar[tuple[Rule, ...]] = phrases(
        {"(think|thinks|thought|believe|believes|believed|hope|hopes|say|says|said|feel|feels|felt) (?=(?:i|you|he|she|we|they|there|it is|it was|it['’]s)\\b)": r"\1 that ",
         "the ([a-z]+)['’]s ([a-z]+)": r"the \2 of the \1", "(i|you|we|they) don['’]t": r"\1 do not", "doesn['’]t": "does not", "didn['’]t": "did not",
         "isn['’]t": "is not", "aren['’]t": "are not", "wasn['’]t": "was not", "can['’]t": "cannot", "won['’]t": "will not", "it['’]s (?=(?:a|an|the|not|very)\\b)": "it is ",
         "i['’]m": "I am", "(you|we|they)['’]re": r"\1 are", "have to": "must", "there is": "there exists", "a lot of": "a large quantity of",
         "also|too": "as well", "because": "because of the fact that",
         "but (?=(?:i|you|he|she|it|we|they|the|this)\\b)": "however, ", "now": "at the present moment", "while": "in the time in which", "nowadays": "in our days"}
    )  # fmt: skip

    def perturb(self, text: str, rng: Random) -> str:
        return apply(text, rewritten(text, rng, self.rate, self.RULES))
