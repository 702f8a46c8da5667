"""A prompt as chat turns: the instruction, each demonstration as a question and its answer, the example."""

from __future__ import annotations

from collections.abc import Mapping

from robust_eval.models.prompt import Prompt

Messages = list[dict[str, str]]


def conversation(prompt: Prompt, inputs: Mapping[str, str]) -> Messages:
    """The messages for one example; the model's turn comes next.

    A template without an instruction gets one that lists the labels, because a chat model that is not
    told what to answer with writes an essay.
    """
    turns: Messages = []
    if instruction := prompt.instruction() or _instruction(prompt):
        turns.append({"role": "system", "content": instruction})
    for shown in prompt.shown(inputs):
        turns.append({"role": "user", "content": prompt.question(dict(shown.inputs))})
        turns.append({"role": "assistant", "content": prompt.solution(shown)})
    turns.append({"role": "user", "content": prompt.question(inputs)})
    return turns


def _instruction(prompt: Prompt) -> str:
    if not prompt.words:
        mark = prompt.template.answer_mark
        return (
            f"Reason step by step. End with '{mark}' and the answer."
            if prompt.template.reasoning
            else ""
        )
    listed = ", ".join(words for _, words in prompt.words)
    if prompt.template.reasoning:
        mark = prompt.template.answer_mark
        return f"Reason step by step. End with '{mark}' and one of: {listed}."
    return f"Answer with one of: {listed}. Write nothing else."
