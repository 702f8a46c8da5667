"""Chains of reasoning: how they stand in a prompt, how long they are, and the vote over several of them."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace

from robust_eval.records import Prediction, Status

VOTES = ("majority", "complexity")
SAMPLE_BREAK = "\n\n[another sample]\n\n"  # between the chains of a vote, in `Prediction.raw`
_ANNOTATION = re.compile(r"<<[^<>\n]*>>")  # GSM8K's calculator marks
_CONCLUSION = re.compile(r"\s*(?:(?:so |hence,? |therefore,? )?the (?:correct )?(?:answer|option) is\b|(?:correct )?(?:answer|ans|option)\s*[:=])", re.IGNORECASE)  # fmt: skip


def chain_steps(chain: str, mark: str = "The answer is") -> int:
    """The number of reasoning lines: those that are not blank and do not start with the answer's mark.

    The mark is taken as it is written: a line "the answer is c" is a step.

    Source: complexity of Fu et al. (2023), arXiv:2210.00720, whose prompts' counts a test checks.
    """
    lines = (line.strip() for line in chain.splitlines())
    return sum(bool(line) and not line.startswith(mark) for line in lines)


def clean_chain(rationale: str) -> str:
    """A rationale as a prompt shows it: one step a line, no blank lines, no line that gives the answer away.

    GSM8K's calculator annotations are taken out. The answer's own line is added by the prompt.
    """
    text = _ANNOTATION.sub("", rationale.encode("utf-8", "replace").decode("utf-8"))
    lines = [" ".join(line.split()) for line in text.splitlines()]
    lines = [line for line in lines if line]
    while len(lines) > 1 and _CONCLUSION.match(lines[-1]):
        lines.pop()
    return "\n".join(lines)


def elect(samples: Sequence[Prediction], vote: str, mark: str) -> Prediction:
    """The answer that most samples give, with the share of votes it got as `agreement`.

    "majority" counts every readable sample once, "complexity" as often as its chain has steps. Of equal
    ones the answer that was given first wins; unreadable samples cast no vote, and count for the share.
    Its `raw` holds every chain.

    Source: self-consistency, Wang et al. (2023), arXiv:2203.11171; complexity-based voting, Fu et al.
    (2023), arXiv:2210.00720, who let the K most complex chains vote; here each has a weight instead.
    """
    votes: dict[str, float] = defaultdict(float)
    weights = [
        float(max(1, chain_steps(sample.raw or "", mark))) if vote == "complexity" else 1.0
        for sample in samples
    ]
    for sample, weight in zip(samples, weights, strict=True):
        if sample.status is Status.OK:
            votes[ballot(sample)] += weight
    chains = SAMPLE_BREAK.join(sample.raw or "" for sample in samples)
    if not votes:
        return replace(samples[0], raw=chains, agreement=0.0)
    winner = max(
        votes, key=lambda answer: votes[answer]
    )  # the first of equal ones: insertion order
    first = next(s for s in samples if s.status is Status.OK and ballot(s) == winner)
    return replace(first, raw=chains, agreement=votes[winner] / sum(weights))


def ballot(sample: Prediction) -> str:
    """What counts as the same answer: the label, or the text without case and white space around."""
    return sample.label if sample.label is not None else (sample.text or "").strip().casefold()
