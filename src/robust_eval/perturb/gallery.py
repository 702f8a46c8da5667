"""The page of every perturbation, made from the code: `python -m robust_eval.perturb.gallery docs/perturbations.md`.

Without an argument the page goes to standard output.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from robust_eval.files import write_atomic
from robust_eval.perturb.apply import perturb_example
from robust_eval.perturb.draws import SEVERITIES, Rated
from robust_eval.perturb.external import NLPAUG, TEXTATTACK, NlpaugNoise, TextattackNoise
from robust_eval.perturb.registry import REGISTRY, parameters_of
from robust_eval.records import Example

# Ours, but for the third, which opens Mark Twain's Adventures of Huckleberry Finn (1884), and the fourth, from Arthur Conan
# Doyle's A Scandal in Bohemia (1891); both are in the public domain.
SENTENCES = (
    "I didn't expect much, but the director's second film is really wonderful, and it is "
    "definitely worth seeing with two friends, after a café, tonight.",
    '"Our neighbors were going to leave," she said, and asked if they were ready; the color of the theater had not changed in 20 years.',
    "You don't know about me without you have read a book by the name of The Adventures of Tom Sawyer; but that ain't no matter.",
    "You see, but you do not observe. The distinction is clear. For example, you have frequently seen the steps which lead up from the hall to this room.",
    "James told Maria that they are watching a lot of little films in London this morning, because tickets cost $5 and it is only 3 miles away.",
)
CONTEXT = "The bridge over the Tamar was opened by Queen Victoria's husband in 1859. It carries the railway."
QUESTION = "Who opened the bridge over the Tamar in 1859?"
ANSWER = "Queen Victoria's husband"
SEED = 0
LONGEST = 600  # characters of a text that are shown
GROUPS = {
    "characters": "Characters",
    "words": "Words",
    "surface": "Surface",
    "speech": "Speech",
    "register": "Register",
    "dialect": "Dialect",
    "entities": "Names, dates and units",
    "distractors": "Distractors",
}
# Characters that a page cannot show, written as their code points.
SHOWN = str.maketrans(
    {
        "\u200b": "⟨U+200B⟩", "\u2060": "⟨U+2060⟩", "\u00ad": "⟨U+00AD⟩", "\u00a0": "⟨U+00A0⟩",
        "\u202e": "⟨U+202E⟩", "\u202c": "⟨U+202C⟩", "\t": "⟨tab⟩", "\r": "⟨CR⟩", "\n": "⟨line break⟩", "`": "ˋ",
    }
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class AtWork:
    """A text, and what the severities 1 to 5 make of it: (text, share of its characters that were edited)."""

    before: str
    after: tuple[tuple[str, float], ...]
    note: str = ""  # the question and answer that go with a context


def page() -> str:
    """The whole page as Markdown."""
    lines = [
        "# Perturbations",
        "",
        "Made by `python -m robust_eval.perturb.gallery docs/perturbations.md`; a test keeps it true.",
        "",
        f"{len(REGISTRY)} native perturbations, each with five severities. A rate is the probability that a unit is "
        "hit; the realised dose of every example is recorded beside it. What is hit at a severity is hit alike at the "
        "next one, unless a perturbation says otherwise. Name one with `--shift NAME@SEVERITY`.",
        "",
        "The examples, at severities 1 to 5 and seed 0, are three sentences of our own and two from novels by Mark Twain and Arthur "
        "Conan Doyle. [perturbations.html](perturbations.html) shows the same with edits marked, and `robust-eval gallery --texts FILE` "
        "on texts of your own.",
        "",
        "| name | group | family | rates at severity 1 to 5 | of |",
        "|---|---|---|---|---|",
    ]
    lines += [
        f"| [`{k.name}`](#{k.name}) | {k.group} | {k.family} | {rates_of(k)} | {k.unit} |"
        for k in REGISTRY.values()
    ]
    for group, title in GROUPS.items():
        lines += ["", f"## {title}"]
        for kind in REGISTRY.values():
            if kind.group == group:
                lines += _section(kind)
    lines += _externals()
    return "\n".join(lines) + "\n"


def rates_of(kind: type[Rated]) -> str:
    """Its five rates as percentages."""
    return " ".join(f"{rate:.0%}" for rate in kind.RATES)


def _section(kind: type[Rated]) -> Iterator[str]:
    yield from ("", f"### {kind.name}", "", inspect.cleandoc(kind.__doc__ or ""), "")
    for parameter, type_ in parameters_of(kind).items():
        known = ": " + ", ".join(kind.CHOICES[parameter]) if parameter in kind.CHOICES else ""
        yield f"Parameter `{parameter}` ({type_.__name__}, default `{getattr(kind(), parameter)}`){known}."
        yield ""
    if not kind.nests:
        yield "Severities do not nest."
        yield ""
    for work in at_work(kind, SENTENCES, SEED):
        if work.note:
            yield from (f"Question: {work.note}", "")
        yield from ("```text", f"   {work.before}")
        yield from (
            f"{s}  {_shown(text)}" for s, (text, _) in zip(SEVERITIES, work.after, strict=True)
        )
        yield from ("```", "")


def at_work(kind: type[Rated], texts: Sequence[str], seed: int) -> Iterator[AtWork]:
    """What a perturbation makes of each text in which it changes anything; one of contexts, of the context of a question."""
    if kind.needs:
        example = Example("0", {"context": CONTEXT, "question": QUESTION}, ANSWER, "0")
        yield _at_work(kind, example, "context", "question", seed, f"{QUESTION} Answer: {ANSWER}.")
        return
    for number, text in enumerate(texts):
        example = Example(str(number), {"text": text}, "", str(number))
        work = _at_work(kind, example, "text", "text", seed)
        if any(after != text for after, _ in work.after):
            yield work


def _at_work(
    kind: type[Rated], example: Example, shown: str, edited: str, seed: int, note: str = ""
) -> AtWork:
    made = (
        perturb_example([kind(severity)], example, seed=seed, fields=[edited])
        for severity in SEVERITIES
    )
    after = tuple((found.inputs[shown], dose.edit_rate) for found, dose in made)
    return AtWork(example.inputs[shown], after, note)


def _shown(text: str) -> str:
    """The text with marks for what a page cannot show; the middle of a very long one is left out."""
    if len(text) > LONGEST:
        text = f"{text[: LONGEST // 2]} […] {text[-LONGEST // 2 :]}"
    return text.translate(SHOWN)


def _externals() -> Iterator[str]:
    yield from ("", "## From other packages", "")
    yield (
        "Written `nlpaug:NAME` and `textattack:NAME`, wherever a native name goes. Severity is the share of words "
        f"touched: {' '.join(f'{rate:.0%}' for rate in NlpaugNoise.RATES)}. They repeat exactly, but their severities "
        "do not nest, and each package must be installed."
    )
    yield ""
    for title, names, kind in (
        ("nlpaug", NLPAUG, NlpaugNoise),
        ("textattack", TEXTATTACK, TextattackNoise),
    ):
        yield (
            f"- {title} ({(kind.__doc__ or '').partition('Source: ')[2].splitlines()[0].rstrip('.')}): "
            + ", ".join(f"`{name}`" for name in names)
        )


def main(arguments: list[str]) -> int:
    """Writes the page to the file named, or to standard output."""
    content = page().encode("utf-8")
    if arguments:
        write_atomic(Path(arguments[0]), content)
    else:
        sys.stdout.buffer.write(content)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
