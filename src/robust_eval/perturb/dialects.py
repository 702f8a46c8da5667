"""Features of English varieties, each documented by linguists, each only where its grammar is safe to tell from the words.

These are systems with rules of their own, not errors: a model that loses on them serves their speakers worse. No list of
features makes a text authentic, and nobody uses all of them at once; spellings that mock an accent are left out.
Negation is never touched, though some of these varieties have negative concord: a rewrite could turn the sense.
"""

from __future__ import annotations

from dataclasses import dataclass
from random import Random
from typing import ClassVar

from robust_eval.perturb.draws import Rated, Rates, apply
from robust_eval.perturb.rules import Rule, phrases, rewritten
from robust_eval.records import Family

BY_SHARE: Rates = (0.20, 0.40, 0.60, 0.80, 1.00)
VERBS = "want|need|like|love|know|think|look|seem|make|work|play|feel|show|give|take|get|come|tell|talk|run|walk|laugh"
ING = r"(?=[a-z]{2,}ing\b)"


@dataclass(frozen=True, slots=True)
class AfricanAmericanEnglish(Rated):
    """Use features of African American English: `they watching`, `it's a man at the door`, `she like it`, `y'all`.

    Absence of the copula before -ing (not of `am`, which stays in the variety), `was` with `we` and `they`, existential
    `it`, third person without -s for common verbs, `y'all`, `them` before plural nouns, completive `done`, `gon`.

    Source: Green (2002), African American English: A Linguistic Introduction, ch. 2 and 3; eWAVE, ewave-atlas.org.
    """

    name: ClassVar[str] = "african-american-english"
    group: ClassVar[str] = "dialect"
    family: ClassVar[Family] = "domain"
    unit: ClassVar[str] = "phrases that a rule knows"
    RATES: ClassVar[Rates] = BY_SHARE
    RULES: ClassVar[tuple[Rule, ...]] = phrases(
        {
            rf"(he|she|we|they|you) (?:is|are) {ING}(?!going to)": r"\1 ",
            rf"(we|they|you)['’]re {ING}(?!going to)": r"\1 ",
            "(he|she|we|they|you) (?:is|are) going to": r"\1 gon",
            "(we|they|you)['’]re going to": r"\1 gon",
            "there (?:is|are)": "it's",
            "there was": "it was",
            "(we|they|you) were": r"\1 was",
            f"(he|she|it) ({VERBS})s": r"\1 \2",
            "you all|you guys|you both": "y'all",
            r"those (?=[a-z]+s\b)": "them ",
            "(i|he|she|we|they) (?:have|has) already": r"\1 done",
            "(we|they|you) are always": r"\1 be",
        }
    )

    def perturb(self, text: str, rng: Random) -> str:
        return apply(text, rewritten(text, rng, self.rate, self.RULES))


STATIVE = {
    "want": "wanting", "need": "needing", "like": "liking", "love": "loving", "know": "knowing", "think": "thinking",
    "understand": "understanding", "believe": "believing", "feel": "feeling", "see": "seeing", "have": "having", "remember": "remembering",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class IndianEnglish(Rated):
    """Use features of Indian English: `I am knowing`, `discuss about`, `only` for focus, `today morning`.

    Progressives of stative verbs, prepositions after `discuss`, `return`, `order` and `request`, word-formations such
    as `prepone`, and the time phrases of the variety.

    Source: Sailaja (2009), Indian English, ch. 3 and 4; Sedlatschek (2009), Contemporary Indian English; eWAVE.
    """

    name: ClassVar[str] = "indian-english"
    group: ClassVar[str] = "dialect"
    family: ClassVar[Family] = "domain"
    unit: ClassVar[str] = "phrases that a rule knows"
    RATES: ClassVar[Rates] = BY_SHARE
    RULES: ClassVar[tuple[Rule, ...]] = phrases(
        {
            **{f"i {verb} (?!to be)": f"I am {ing} " for verb, ing in STATIVE.items()},
            **{
                f"(we|you|they) {verb} (?!to be)": rf"\1 are {ing} "
                for verb, ing in STATIVE.items()
            },
            **{
                f"(he|she) {verb}s (?!to be)": rf"\1 is {ing} "
                for verb, ing in STATIVE.items()
                if verb != "have"
            },
            "discuss (?=(?:the|a|an|this|that|it|our|their)\\b)": "discuss about ",
            "discusses (?=(?:the|a|an|this|that|it|our|their)\\b)": "discusses about ",
            "return to": "return back to",
            "returns to": "returns back to",
            "this morning": "today morning",
            "this evening": "today evening",
            "last night": "yesterday night",
            r"cousin\b(?! (?:brother|sister))": ("cousin brother", "cousin sister"),
            "move up": "prepone",
            "(right )?here(?=[.!])": "here only",
            "now(?=[.!])": "now only",
            "a million": "ten lakhs",
            "out of town": "out of station",
            "graduated from college": "passed out of college",
            "the same (thing|story|film|movie)": r"the same \1 only",
            "very (nice|big|small|old|long|short)": r"\1 \1",
        }
    )

    def perturb(self, text: str, rng: Random) -> str:
        return apply(text, rewritten(text, rng, self.rate, self.RULES))


@dataclass(frozen=True, slots=True)
class ScottishEnglish(Rated):
    """Use features of Scottish English: `wee`, `outwith`, `needs cleaned`, `the now`, `youse`.

    Words and constructions that speakers write in otherwise standard English; the spelling of sounds is left alone.

    Source: Miller (2008), Scottish English: morphology and syntax, in Varieties of English 1; eWAVE.
    """

    name: ClassVar[str] = "scottish-english"
    group: ClassVar[str] = "dialect"
    family: ClassVar[Family] = "domain"
    unit: ClassVar[str] = "phrases that a rule knows"
    RATES: ClassVar[Rates] = BY_SHARE
    RULES: ClassVar[tuple[Rule, ...]] = phrases(
        {
            "little|small": "wee",
            "yes": "aye",
            "outside of|outside (?=(?:the|our|their|his|her|my)\\b)": "outwith ",
            "(needs|need|wants|needed) to be (?=[a-z]+ed)": r"\1 ",
            "right now|at the moment": "the now",
            "you all|you guys|you both": "youse",
            "(child|kid)": "wean",
            "(children|kids)": "weans",
            "remember": "mind",
            "girl|woman": "lass",
            "boy": "lad",
            "the two of (us|you|them)": r"the pair of \1",
            "stay at home": "bide at home",
            "live in": "stay in",
            "lives in": "stays in",
            "both of them": "the both of them",
        }
    )

    def perturb(self, text: str, rng: Random) -> str:
        return apply(text, rewritten(text, rng, self.rate, self.RULES))


JUST = {
    "seen": "seeing", "finished": "finishing", "come": "coming", "gone": "going", "watched": "watching", "left": "leaving",
    "bought": "buying", "read": "reading", "heard": "hearing", "made": "making", "got": "getting", "lost": "losing",
}  # fmt: skip
HABITS = {
    "watch": "watching",
    "see": "seeing",
    "go": "going",
    "talk": "talking",
    "say": "saying",
    "think": "thinking",
}


@dataclass(frozen=True, slots=True)
class IrishEnglish(Rated):
    """Use features of Irish English: `I'm after seeing it`, `I wonder is it good`, `they do be talking`, `ye`.

    The perfect with `after` for what has just happened, questions kept in their order after `wonder` and `ask`, habitual `do be`,
    `and` before a subject that is doing something meanwhile, plural `ye` and `yous`, the article with institutions and quantities,
    `there's`, `was` and `them` with plurals, `real` and `fierce` before adjectives, and a few words.

    Source: Filppula (1999), The Grammar of Irish English; Hickey (2007), Irish English; eWAVE, ewave-atlas.org.
    """

    name: ClassVar[str] = "irish-english"
    group: ClassVar[str] = "dialect"
    family: ClassVar[Family] = "domain"
    unit: ClassVar[str] = "phrases that a rule knows"
    RATES: ClassVar[Rates] = BY_SHARE
    RULES: ClassVar[tuple[Rule, ...]] = phrases(
        {
            **{f"i(?: have|['’]ve) just {done}": f"I'm after {ing}" for done, ing in JUST.items()},
            **{
                f"(we|you|they)(?: have|['’]ve) just {done}": rf"\1're after {ing}"
                for done, ing in JUST.items()
            },
            **{
                f"(he|she|it)(?: has|['’]s) just {done}": rf"\1's after {ing}"
                for done, ing in JUST.items()
            },
            **{
                f"(i|we|you|they) (?:usually|often|always) {verb}": rf"\1 do be {ing}"
                for verb, ing in HABITS.items()
            },
            "(wonder|wonders|wondered|ask|asks|asked|know|see) (?:if|whether) (i|he|she|it|we|you|they|this|that) (is|are|was|were|can|could|will|would)": r"\1 \3 \2",
            "(?<=[a-z,] )while (i|he|she|we|they) (?:was|were) (?=[a-z]{2,}ing\\b)": r"and \1 ",
            "you all|you guys|you both": ("ye", "yous"),
            "in (hospital|college|school|church|bed)": r"in the \1",
            "to (hospital|college|school|church|bed)": r"to the \1",
            "(complain|complains) about": r"give out about",
            "complained about": "gave out about",
            "complaining about": "giving out about",
            "(great|good|lots of|no) fun": r"\1 craic",
            "fine(?=[.,!])": "grand",
            "there are": "there's",
            "(we|they|you) were": r"\1 was",
            r"those (?=[a-z]+s\b)": "them ",
            "really (?=(?:good|nice|bad|funny|old|long|big|great)\\b)": "real ",
            "very (good|nice|bad|funny|old|long|big)": r"fierce \1",
            "(most|both) of (?=(?:the|them|us)\\b)": r"the \1 of ",
            "guys": "lads",
            "guy": "fella",
            "mom": "mam",
            "idiot": "eejit",
            "idiots": "eejits",
            "cupboard": "press",
        }
    )

    def perturb(self, text: str, rng: Random) -> str:
        return apply(text, rewritten(text, rng, self.rate, self.RULES))


OWN = {"i": "me", "he": "him", "she": "her", "we": "us", "they": "them"}


@dataclass(frozen=True, slots=True)
class SouthernAmericanEnglish(Rated):
    """Use features of Southern American English: `y'all`, `fixing to`, `might could`, `I got me a ticket`, `right nice`.

    Double modals, `fixing to` for what is about to happen, personal datives, existential `it`, `was` with plural pronouns,
    completive `done`, `liked to` for what almost happened, `right` before adjectives, `reckon`, `yonder`.

    Source: Nagle & Sanders, eds. (2003), English in the Southern United States; Montgomery (2004),
    Appalachian English: morphology and syntax, in A Handbook of Varieties of English 2; eWAVE, ewave-atlas.org.
    """

    name: ClassVar[str] = "southern-american-english"
    group: ClassVar[str] = "dialect"
    family: ClassVar[Family] = "domain"
    unit: ClassVar[str] = "phrases that a rule knows"
    RATES: ClassVar[Rates] = BY_SHARE
    RULES: ClassVar[tuple[Rule, ...]] = phrases(
        {
            "you all|you guys|you both|all of you": "y'all",
            "(am|is|are|was|were) (?:about|going) to (?=[a-z])(?!the|a|an|my|his|her|our|their)": r"\1 fixing to ",
            "(i['’]m|(?:he|she|it)['’]s|(?:we|you|they)['’]re) (?:about|going) to (?=[a-z])(?!the|a|an|my|his|her|our|their)": r"\1 fixing to ",
            "(?:might|may) be able to": "might could",
            "could (?:perhaps|maybe|possibly)": "might could",
            "i (?:think|suppose|guess)": "I reckon",
            **{
                rf"{who} (got|bought|found|made|built|caught) (?=(?:a|an|some)\b)": rf"{'I' if who == 'i' else who} \1 {whom} "
                for who, whom in OWN.items()
            },
            "(i|he|she|we|they) (?:almost|nearly) (died|cried|fainted|laughed|missed)": r"\1 liked to have \2",
            "there (?:is|are)": "it's",
            "there was": "it was",
            "(we|they|you) were": r"\1 was",
            "(i|he|she|we|they) (?:have|has) already": r"\1 done",
            r"those (?=[a-z]+s\b)": "them ",
            "over there": "over yonder",
            "very (good|nice|pretty|big|small|hard|tired|funny|sweet)": r"right \1",
        }
    )

    def perturb(self, text: str, rng: Random) -> str:
        return apply(text, rewritten(text, rng, self.rate, self.RULES))
