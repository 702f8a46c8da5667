"""An attack as its four visible parts, and the TOML table that names it.

    [[attack]]
    name = "deepwordbug"
    source = "Gao et al. (2018), arXiv:1801.04354"
    departs = "what is done otherwise than in the paper"
    goal = { name = "untargeted" }
    search = { name = "greedy", ranking = "unknown" }
    proposals = [{ name = "swap-characters" }, { name = "delete-character", last = false }]
    constraints = [{ name = "no-repeat" }, { name = "edit-distance", most = 30 }]

Every part is named from a table of its own; its other keys are the fields of that class, of their types. With
`trigger = { place = "prefix", words = 3 }` the attack looks for words to put at every text instead.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar, get_type_hints

from robust_eval.attack.constraints import (
    TEXT_CONSTRAINTS,
    WORD_CONSTRAINTS,
    DraftConstraint,
    Limits,
    WordConstraint,
)
from robust_eval.attack.draft import WHOLE, Draft
from robust_eval.attack.goal import GOALS, Goal
from robust_eval.attack.meaning import READING_CONSTRAINTS
from robust_eval.attack.populations import Beam, Population
from robust_eval.attack.proposals import CHARACTER_PROPOSALS, Proposal
from robust_eval.attack.search import Greedy, RandomWalk, Search
from robust_eval.attack.substitutes import SUBSTITUTES
from robust_eval.attack.tools import NeedsTools, Tools
from robust_eval.attack.vocabulary import Trigger, VocabularyWord
from robust_eval.attack.whole_texts import WHOLE_TEXTS, LlmRewrite
from robust_eval.errors import RecipeError, did_you_mean
from robust_eval.records import Example
from robust_eval.rng import stream

KEYS = ("name", "source", "departs", "goal", "search", "proposals", "constraints", "trigger")
MOST_PARTS = 32  # of one kind in an attack
_KINDS: tuple[type[Proposal], ...] = (
    *CHARACTER_PROPOSALS,
    *SUBSTITUTES,
    *WHOLE_TEXTS,
    VocabularyWord,
)
PROPOSALS: Mapping[str, type[Proposal]] = {kind.name: kind for kind in _KINDS}
_READ: tuple[type[DraftConstraint], ...] = (*TEXT_CONSTRAINTS, *READING_CONSTRAINTS)
DRAFT_CONSTRAINTS: Mapping[str, type[DraftConstraint]] = {kind.name: kind for kind in _READ}
SEARCHES: Mapping[str, type[Search]] = {
    kind.name: kind for kind in (Greedy, Beam, Population, RandomWalk)
}

_TRIGGER = tuple(f.name for f in dataclasses.fields(Trigger))

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Attack:
    """Goal, constraints, proposals and search; `source` cites the paper, `departs` says where it is left."""

    name: str
    goal: Goal
    search: Search
    proposals: tuple[Proposal, ...]
    limits: Limits
    source: str = ""
    departs: str = ""
    trigger: Trigger | None = None  # the words that are looked for, instead of changes of each text

    @property
    def parts(self) -> str:
        """The four parts with their parameters, for the record of a run."""
        constraints = (*self.limits.words, *self.limits.drafts)
        kinds = () if self.trigger is None else (("trigger", (self.trigger,)),)
        return " > ".join(
            f"{kind}: {', '.join(map(repr, parts)) or 'none'}"
            for kind, parts in (
                ("goal", (self.goal,)),
                ("constraints", constraints),
                ("proposals", self.proposals),
                ("search", (self.search,)),
                *kinds,
            )
        )

    def equipped(self, tools: Tools) -> Attack:
        """The attack with what its parts need. Raises ModelError, with the remedy, for what is not installed."""
        return replace(
            self,
            proposals=tuple(_equipped(part, tools) for part in self.proposals),
            limits=replace(
                self.limits, drafts=tuple(_equipped(part, tools) for part in self.limits.drafts)
            ),
        )

    @property
    def styles(self) -> tuple[str, ...]:
        """The styles in which a model is to rewrite texts for it, each once."""
        found = (p.listed for p in self.proposals if isinstance(p, LlmRewrite))
        return tuple(dict.fromkeys(style for listed in found for style in listed))

    def foresee(self, examples: Sequence[Example], fields: Sequence[str]) -> None:
        """Lets proposals that ask a model ask about all of these examples at once."""
        for proposal in self.proposals:
            if isinstance(proposal, LlmRewrite):
                proposal.foresee(examples, fields)

    def positions(self, draft: Draft, protect: frozenset[int]) -> tuple[int, ...]:
        """Where the draft may change now; `draft.WHOLE` first where a proposal rewrites the text."""
        whole = any(proposal.whole for proposal in self.proposals) and not draft.rewritten
        words = not all(proposal.whole for proposal in self.proposals)
        found = self.limits.positions(draft, protect) if words else ()
        return ((WHOLE,) if whole else ()) + found

    def drafts(self, draft: Draft, position: int, seed: int) -> list[Draft]:
        """What may follow at this position, each text once, constraints applied.

        The same word at the same place has the same proposals, whichever search asks, and however often.
        """
        made: list[Draft] = []
        for number, proposal in enumerate(self.proposals):
            if proposal.whole != (position == WHOLE):
                continue
            word = "" if position == WHOLE else draft.words[position]
            key = ("propose", proposal.name, number, draft.example.id, position, word)
            made += proposal.drafts(draft, position, stream(seed, *key))
        distinct = {made_draft.text: made_draft for made_draft in reversed(made)}
        distinct.pop(draft.text, None)
        return self.limits.kept(list(distinct.values())[::-1])


def parse_attack(table: Mapping[str, Any], where: str) -> Attack:
    """The attack that a recipe's table describes. Raises RecipeError, naming `where` and the nearest known name."""
    for key in table:
        if key not in KEYS:
            raise RecipeError(f"{where}: unknown key {key!r}{did_you_mean(key, KEYS)}")
    name = table.get("name")
    if not isinstance(name, str) or not 0 < len(name) <= 64 or set(name) & set("@#>\n\r\t"):
        raise RecipeError(
            f"{where}: an attack's name is short text without @, # and >, not {name!r}"
        )
    for key in ("source", "departs"):
        if not isinstance(table.get(key, ""), str):
            raise RecipeError(f"{where}: {key} must be text")
    for key in ("search", "proposals"):
        if key not in table:
            raise RecipeError(f"{where}: an attack needs {key}")
    words: list[WordConstraint] = []
    drafts: list[DraftConstraint] = []
    for part in _parts(table.get("constraints", []), "constraints", where):
        if part["name"] in WORD_CONSTRAINTS:
            words.append(_made(WORD_CONSTRAINTS, part, "constraint", where))
        elif part["name"] in DRAFT_CONSTRAINTS:
            drafts.append(_made(DRAFT_CONSTRAINTS, part, "constraint", where))
        else:
            known = (*WORD_CONSTRAINTS, *DRAFT_CONSTRAINTS)
            name = part["name"]
            raise RecipeError(f"{where}: unknown constraint {name!r}{did_you_mean(name, known)}")
    proposals = _parts(table["proposals"], "proposals", where)
    if not proposals:
        raise RecipeError(f"{where}: an attack needs at least one proposal")
    trigger = table.get("trigger")
    if trigger is None and any(part["name"] == VocabularyWord.name for part in proposals):
        raise RecipeError(
            f'{where}: {VocabularyWord.name} is for triggers; add trigger = {{ place = "prefix" }}'
        )
    return Attack(
        name=name,
        goal=_made(GOALS, _part(table.get("goal", {"name": "untargeted"}), where), "goal", where),
        search=_made(SEARCHES, _part(table["search"], where), "search", where),
        proposals=tuple(_made(PROPOSALS, part, "proposal", where) for part in proposals),
        limits=Limits(tuple(words), tuple(drafts)),
        source=table.get("source", ""),
        departs=table.get("departs", ""),
        trigger=None if trigger is None else _trigger(trigger, where),
    )


def _trigger(value: Any, where: str) -> Trigger:
    if not isinstance(value, dict):
        raise RecipeError(f'{where}: write trigger = {{ place = "prefix", words = 3 }}')
    if "name" in value:
        raise RecipeError(f"{where}: a trigger has no key 'name'{did_you_mean('name', _TRIGGER)}")
    return _made({"trigger": Trigger}, {"name": "trigger", **value}, "part", where)


def _equipped(part: T, tools: Tools) -> T:
    return part.equipped(tools) if isinstance(part, NeedsTools) else part


def _parts(value: Any, key: str, where: str) -> list[Mapping[str, Any]]:
    if not isinstance(value, list) or len(value) > MOST_PARTS:
        raise RecipeError(f"{where}: {key} must be a list of at most {MOST_PARTS} tables")
    return [_part(item, where) for item in value]


def _part(value: Any, where: str) -> Mapping[str, Any]:
    """A part's table; a bare name stands for a table of the name alone."""
    table = {"name": value} if isinstance(value, str) else value
    if not isinstance(table, dict) or not isinstance(table.get("name"), str):
        raise RecipeError(f'{where}: write a part as {{ name = "..." }}, not {str(value)[:60]!r}')
    return table


def _made(known: Mapping[str, type[T]], part: Mapping[str, Any], kind: str, where: str) -> T:
    """An instance of the part that is named, with its other keys as fields of their types."""
    name = part["name"]
    if name not in known:
        raise RecipeError(f"{where}: unknown {kind} {name!r}{did_you_mean(name, known)}")
    cls: Any = known[name]
    hints = get_type_hints(cls)
    # What is not shown is no recipe's to set: `equipped` fills it in.
    types = {f.name: hints[f.name] for f in dataclasses.fields(cls) if f.repr}
    values = {key: value for key, value in part.items() if key != "name"}
    for key, value in values.items():
        if key not in types:
            raise RecipeError(
                f"{where}: {kind} {name!r} has no key {key!r}{did_you_mean(key, types)}"
            )
        wanted = types[key]
        fits = type(value) is wanted or (wanted is float and type(value) is int)
        if not fits:
            raise RecipeError(f"{where}: {name}: {key} must be {wanted.__name__}, not {value!r}")
        if isinstance(value, int | float) and not isinstance(value, bool) and not 0 <= value <= 1e6:
            raise RecipeError(f"{where}: {name}: {key} must be from 0 to 1,000,000, not {value}")
    try:
        made: T = cls(**values)
    except RecipeError as error:
        raise RecipeError(f"{where}: {error}") from error
    return made
