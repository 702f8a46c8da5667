"""Prompt-side shifts: the same question asked otherwise. Each edit takes a prompt and gives another.

An edit keeps what is asked and what the labels mean; the examples stay as they are. It is written
`name@severity#seed`, or `name#seed` where there is no severity, as `ShiftedSet.prompt_edit` holds it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import TypeVar

from robust_eval.errors import RecipeError, did_you_mean
from robust_eval.models.prompt import OPTIONS, Prompt
from robust_eval.models.templates import Segments, Template, split_fields
from robust_eval.models.wordings import PREFIX, reworded
from robust_eval.perturb import DEFAULT_SEVERITY
from robust_eval.perturb.characters import KeyboardTypos
from robust_eval.perturb.plan import PromptPlan
from robust_eval.rng import below, choice, shuffled, stream

__all__ = ["EDITS", "PromptEdit", "describe_edits", "edited", "parse_edit", "plan_edits"]

_EDIT = re.compile(r"(?P<name>[a-z-]+)(?:@(?P<severity>[1-5]))?#(?P<seed>[0-9]{1,18})\Z")
_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"

T = TypeVar("T")
Edited = Prompt | str
"""The edited prompt; or, in words, why the edit does not apply to this prompt."""


@dataclass(frozen=True, slots=True)
class PromptEdit:
    """One kind of edit. `apply(prompt, severity, seed)`; severity is 1 where `graded` is false."""

    name: str
    apply: Callable[[Prompt, int, int], Edited]
    graded: bool = False  # whether it comes in severities 1 to 5

    @property
    def summary(self) -> str:
        return (self.apply.__doc__ or "").strip().splitlines()[0]


# --- wording -------------------------------------------------------------------------------------


def paraphrase_instruction(prompt: Prompt, severity: int, seed: int) -> Edited:
    """Put the instruction and the words around each text in one of the template's paraphrases.

    Paraphrase number seed, counted round: neighbouring seeds give different ones.
    """
    template = prompt.template
    if not template.paraphrases:
        return f"template {template.name} has no [[paraphrase]]"
    return replace(prompt, template=template.paraphrased(seed % len(template.paraphrases)))


def mistype_instruction(prompt: Prompt, severity: int, seed: int) -> Edited:
    """Mistype letters of the instruction and of the words around each text, as keyboards do.

    Label words, texts and demonstrations stay. The rates are those of keyboard-typos, and what is hit
    at one severity is hit alike at the next.

    Source: attacks on prompts, Zhu et al. (2023), arXiv:2306.04528; ours are drawn, not searched for.
    """
    typos = KeyboardTypos(severity=severity)

    def mistyped(text: str, part: str) -> str:
        pieces = []
        for i, (literal, field) in enumerate(split_fields(text, prompt.template.name)):
            typed = typos.perturb(literal, stream(seed, "instruction-typos", part, i))
            pieces.append(_escaped(typed) + ("" if field is None else f"{{{field}}}"))
        return "".join(pieces)

    template = replace(
        prompt.template,
        instruction=mistyped(prompt.template.instruction, "instruction"),
        example=mistyped(prompt.template.example, "example"),
    )
    if template == prompt.template:
        return "no letter of its wording is hit"
    return replace(prompt, template=template)


# --- labels --------------------------------------------------------------------------------------


def change_label_case(prompt: Prompt, severity: int, seed: int) -> Edited:
    """Write the label words in capitals: POSITIVE."""
    return _reworded(prompt, {label: words.upper() for label, words in prompt.words})


def use_label_synonyms(prompt: Prompt, severity: int, seed: int) -> Edited:
    """Give every label other words of the same meaning, from the template: good for positive."""
    synonyms = dict(prompt.template.label_synonyms)
    missing = [label for label, _ in prompt.words if label not in synonyms]
    if prompt.words and missing:
        return f"template {prompt.template.name} has no [label_synonyms] for {missing[0]}"
    words = {}
    for label, _ in prompt.words:
        # One number for all labels, so that they stay a set of words that go together.
        words[label] = synonyms[label][seed % len(synonyms[label])]
    return _reworded(prompt, words)


def use_label_letters(prompt: Prompt, severity: int, seed: int) -> Edited:
    """Answer with letters, which the instruction explains: `A: negative, B: positive`."""
    if len(prompt.words) > len(_LETTERS):
        return f"{len(prompt.words)} labels are more than there are letters"
    letters = dict(zip((label for label, _ in prompt.words), _LETTERS, strict=False))
    told = _escaped(", ".join(f"{letters[label]}: {words}" for label, words in prompt.words))
    changed = _reworded(prompt, letters)
    if isinstance(changed, str):
        return changed
    instruction = prompt.template.instruction
    joined = f"{instruction}\n{told}" if instruction else told
    return replace(changed, template=replace(changed.template, instruction=joined))


def _reworded(prompt: Prompt, words: Mapping[str, str]) -> Edited:
    """The prompt with other label words, in its demonstrations too."""
    if not prompt.words:
        return "the task has no labels"
    if words == dict(prompt.words):
        return "the label words are written so already"
    if len({found.casefold() for found in words.values()}) < len(words):
        return "two labels would have the same words"
    new = {old: words[label] for label, old in prompt.words}
    return replace(
        prompt,
        words=tuple((label, words[label]) for label, _ in prompt.words),
        demonstrations=tuple(
            replace(shown, answer=new.get(shown.answer, shown.answer))
            for shown in prompt.demonstrations
        ),
    )


# --- order ---------------------------------------------------------------------------------------


def reorder_options(prompt: Prompt, severity: int, seed: int) -> Edited:
    """Give multiple-choice options other letters; list the labels in another order in the instruction.

    All examples alike: what stood at A stands at another letter, and that is the right one then.

    Source: option order in multiple choice, Zheng et al. (2024), arXiv:2309.03882.
    """
    if any(field == OPTIONS for _, field in prompt.template.segments):
        return _move_options(prompt, seed)
    segments = split_fields(prompt.template.instruction, prompt.template.name)
    if not any(field == "labels" for _, field in segments):
        return "its instruction lists no options"
    listed = prompt.listed or tuple(label for label, _ in prompt.words)
    order = _other_order(listed, seed, "option-order")
    return "there is one option only" if order is None else replace(prompt, listed=order)


def _move_options(prompt: Prompt, seed: int) -> Edited:
    labels = tuple(label for label, _ in prompt.words)
    order = _other_order(labels, seed, "option-order")
    if order is None or prompt.option_order:
        return "there is one option only" if order is None else "its options are moved already"
    letters = dict(prompt.words)
    moved = {meant: letters[labels[place]] for place, meant in enumerate(order)}
    changed = _reworded(prompt, moved)
    if isinstance(changed, str):
        return changed
    return replace(changed, option_order=order, listed=order)


def reorder_demonstrations(prompt: Prompt, severity: int, seed: int) -> Edited:
    """Show the same demonstrations in another order.

    Source: Lu et al. (2022), arXiv:2104.08786.
    """
    numbers = tuple(range(len(prompt.demonstrations)))
    order = _other_order(numbers, seed, "demonstration-order")
    if order is None:
        return f"the prompt shows {len(numbers) or 'no'} demonstration{'s' * (not numbers)}"
    return replace(prompt, demonstrations=tuple(prompt.demonstrations[i] for i in order))


def _other_order(items: Sequence[T], seed: int, name: str) -> tuple[T, ...] | None:
    """Another order of the items, drawn; None when there is none."""
    if len(items) < 2:
        return None
    numbers = list(range(len(items)))
    rng = stream(seed, name)
    order = shuffled(rng, numbers)
    if order == numbers:  # turned round by one to len - 1 places instead
        turn = 1 + below(rng, len(items) - 1)
        order = numbers[turn:] + numbers[:turn]
    return tuple(items[i] for i in order)


# --- format --------------------------------------------------------------------------------------

# What stands before a field: whole lines before, then "Review", then ": ".
_HEAD = re.compile(r"(?P<before>(?:.*\n)?)(?P<name>[^\n:]*\w[^\n:]*):(?P<gap> ?)\Z", re.DOTALL)
_MARKS = (" -", " =", " ::", " =>")
_BREAKS = (" | ", " ; ", "  ", "\n\n")
_SEPARATORS = ("\n", "\n\n\n", "\n---\n", "\n\n###\n\n")
_CASES: tuple[Callable[[str], str], ...] = (str.upper, str.lower)
_WRAPS = ("[{}]", "<{}>", "**{}**", "({})")


@dataclass(frozen=True, slots=True)
class _Format:
    """What a template is written in; None leaves as it is."""

    mark: str | None = None
    line_break: str | None = None
    case: Callable[[str], str] | None = None
    wrap: str | None = None

    def written(self, segments: Segments) -> str:
        pieces = []
        for literal, field in segments:
            text = literal
            if found := _HEAD.match(literal):
                named = self.case(found["name"]) if self.case else found["name"]
                named = self.wrap.format(named) if self.wrap else named
                before = found["before"]
                if self.line_break is not None and before == "\n":
                    before = self.line_break
                mark = ":" if self.mark is None else self.mark
                text = f"{before}{named}{mark}{found['gap']}"
            pieces.append(_escaped(text) + ("" if field is None else f"{{{field}}}"))
        return "".join(pieces)


def change_format(prompt: Prompt, severity: int, seed: int) -> Edited:
    """Change as many formatting habits as the severity says: marks, line breaks, case, brackets.

    Five habits in all: the mark after a field's name, the line break between fields, the separator
    between examples, the case of the names, brackets around them. What is changed at one severity
    is changed alike at the next.

    Source: the formats of Sclar et al. (2024), arXiv:2310.11324.
    """
    rng = stream(seed, "prompt-format")
    order = shuffled(rng, ("mark", "line_break", "separator", "case", "wrap"))
    made: dict[str, object] = {
        "mark": choice(rng, _MARKS),
        "line_break": choice(rng, _BREAKS),
        "separator": choice(rng, [s for s in _SEPARATORS if s != prompt.template.separator]),
        "case": choice(rng, _CASES),
        "wrap": choice(rng, _WRAPS),
    }
    template = prompt.template
    chosen: dict[str, object] = {}
    for habit in order:
        if len(chosen) < severity and _habit_shows(prompt, habit, made[habit], chosen):
            chosen[habit] = made[habit]
    if not chosen:
        return f"template {template.name} has none of the habits that are changed"
    return replace(prompt, template=_formatted(template, chosen))


def _habit_shows(prompt: Prompt, habit: str, value: object, chosen: Mapping[str, object]) -> bool:
    if habit == "separator":  # between parts, of which a bare zero-shot prompt has one
        return bool(prompt.demonstrations or prompt.template.instruction)
    before = _formatted(prompt.template, chosen)
    return _formatted(prompt.template, {**chosen, habit: value}) != before


def _formatted(template: Template, chosen: Mapping[str, object]) -> Template:
    style = {habit: value for habit, value in chosen.items() if habit != "separator"}
    return replace(
        template,
        example=_Format(**style).written(template.segments),  # type: ignore[arg-type]
        separator=str(chosen.get("separator", template.separator)),
    )


def _escaped(text: str) -> str:
    return text.replace("{", "{{").replace("}", "}}")


# --- the registry --------------------------------------------------------------------------------

EDITS: Mapping[str, PromptEdit] = MappingProxyType(
    {
        edit.name: edit
        for edit in (
            PromptEdit("instruction-paraphrases", paraphrase_instruction),
            PromptEdit("instruction-typos", mistype_instruction, graded=True),
            PromptEdit("label-case", change_label_case),
            PromptEdit("label-synonyms", use_label_synonyms),
            PromptEdit("label-letters", use_label_letters),
            PromptEdit("option-order", reorder_options),
            PromptEdit("demonstration-order", reorder_demonstrations),
            PromptEdit("prompt-format", change_format, graded=True),
        )
    }
)


def edited(prompt: Prompt, edit: str) -> Edited:
    """The prompt under an edit; or, in words, why the edit does not apply to it.

    A wording that an attack found (`wording:...`) may be the prompt's own: then nothing was found, and the drop is 0.
    Raises RecipeError for an edit that is none.
    """
    if edit.startswith(PREFIX):
        return reworded(prompt, edit)
    kind, severity, seed = parse_edit(edit)
    changed = kind.apply(prompt, severity or 1, seed)
    if isinstance(changed, Prompt) and changed.fingerprint() == prompt.fingerprint():
        return "the edit leaves this prompt as it is"
    return changed


def parse_edit(edit: str) -> tuple[PromptEdit, int | None, int]:
    """Kind, severity and seed of `name@severity#seed`. Raises RecipeError."""
    found = _EDIT.match(edit)
    if found is None:
        raise RecipeError(f"{edit[:80]!r} is no prompt edit; write name@severity#seed")
    kind = EDITS.get(found["name"])
    if kind is None:
        raise RecipeError(
            f"unknown prompt edit {found['name']!r}{did_you_mean(found['name'], EDITS)}"
        )
    if kind.graded != (found["severity"] is not None):
        wants = "takes a severity" if kind.graded else "has no severity"
        raise RecipeError(f"{edit!r}: {kind.name} {wants}")
    return kind, int(found["severity"]) if kind.graded else None, int(found["seed"])


def plan_edits(
    name: str, severities: Sequence[int] | None, seed: int, offsets: Sequence[int] = (0,)
) -> Iterator[PromptPlan]:
    """The sets that a prompt-side shift asks for; those without severities are made once a seed.

    Raises RecipeError when severities are given to an edit that has none.
    """
    kind = EDITS[name]
    if severities is not None and not kind.graded:
        raise RecipeError(
            f"{name} has no severity; write {name}, or give several seeds in a recipe"
        )
    for severity in (severities or (DEFAULT_SEVERITY,)) if kind.graded else (None,):
        for offset in offsets:
            key = name + ("" if severity is None else f"@{severity}")
            key += f"#{offset}" if offset else ""
            yield PromptPlan(name, key, severity, seed + offset)


def describe_edits() -> list[tuple[str, ...]]:
    """Rows as `describe_perturbations` gives them: name, group, family, severities, what it does."""
    return [
        (
            edit.name,
            "prompt",
            "prompt",
            "severity 1-5" if edit.graded else "by seed, no severity",
            edit.summary,
        )
        for edit in EDITS.values()
    ]
