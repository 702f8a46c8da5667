"""Chat templates of instruct models: a prompt as turns, in tokens, with texts that can form no turn.

The template is the model's own, run in a sandbox without any code of ours in reach. Texts are put in
after it has run, so neither the template nor a special token spelled out in a text can change the other.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

from robust_eval.errors import ModelError
from robust_eval.models.api.conversation import conversation
from robust_eval.models.causal_files import CausalFiles
from robust_eval.models.gguf_file import read_header
from robust_eval.models.prompt import Prompt
from robust_eval.models.tokens import Ids, Tokens
from robust_eval.models.weights import read_json

CHOICES = ("auto", "on", "off")
MAX_TEMPLATE = 200_000  # characters
_SLOT = re.compile("\ue000(\\d+)\ue001")  # stands for the text of a turn: private-use characters


class ChatTemplate:
    """A model's chat template with the special tokens that it may name."""

    def __init__(self, source: str, names: Mapping[str, str]) -> None:
        if len(source) > MAX_TEMPLATE:
            raise ModelError("the model's chat template is too long; give --chat off")
        self.source = source
        self._names = dict(names)

    @cached_property
    def _compiled(self) -> Any:
        from jinja2 import TemplateError
        from jinja2.sandbox import ImmutableSandboxedEnvironment

        def raise_exception(message: str) -> None:
            raise TemplateError(message)

        environment = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True)
        environment.globals["raise_exception"] = raise_exception
        try:
            return environment.from_string(self.source)
        except TemplateError as error:
            raise ModelError(
                f"the model's chat template cannot be read ({error}); give --chat off"
            ) from error

    @cached_property
    def takes_system(self) -> bool:
        """Whether a system turn is allowed; else the instruction goes before the first question."""
        turns = [{"role": "system", "content": "s"}, {"role": "user", "content": "u"}]
        try:
            return "s" in self._rendered(turns)
        except ModelError:
            return False

    def pieces(self, prompt: Prompt, inputs: Mapping[str, str]) -> list[tuple[str, bool]]:
        """The prompt up to the model's turn: texts in order, each with whether the template wrote it."""
        turns = conversation(prompt, inputs)
        if turns[0]["role"] == "system" and not self.takes_system:
            told = turns.pop(0)["content"]
            turns[0] = {**turns[0], "content": f"{told}\n\n{turns[0]['content']}"}
        slots = [{**turn, "content": f"\ue000{i}\ue001"} for i, turn in enumerate(turns)]
        parts = _SLOT.split(self._rendered(slots))
        if sorted(map(int, parts[1::2])) != list(range(len(turns))):
            raise ModelError("the model's chat template does not show every turn; give --chat off")
        return [
            (turns[int(part)]["content"].strip(), False) if i % 2 else (part, True)
            for i, part in enumerate(parts)
        ]

    def _rendered(self, turns: Sequence[Mapping[str, str]]) -> str:
        from jinja2 import TemplateError

        try:
            return str(
                self._compiled.render(
                    messages=list(turns),
                    add_generation_prompt=True,
                    enable_thinking=False,
                    **self._names,
                )
            )
        except (TemplateError, TypeError, ValueError, KeyError, ArithmeticError) as error:
            raise ModelError(
                f"the model's chat template fails on this prompt ({str(error)[:100]}); give --chat off"
            ) from error

    def ids(self, tokens: Tokens, prompt: Prompt, inputs: Mapping[str, str]) -> Ids:
        """The same in tokens; only what the template wrote can be a special token."""
        found: list[int] = []
        for text, of_template in self.pieces(prompt, inputs):
            found += tokens.plain(text, special=of_template)
        return tuple(found)


def chat_template(weights: CausalFiles, wanted: str) -> ChatTemplate | None:
    """The model's chat template where it is to be used: asked for, or there with `auto`.

    Raises ModelError when it is asked for and the model has none.
    """
    if wanted == "off":
        return None
    source, names = _of_gguf(weights.path) if weights.kind == "gguf" else _of_folder(weights.path)
    if source is None:
        if wanted == "on":
            raise ModelError(
                f"'{weights.path.name}' has no chat template, so --chat on cannot be; a base model takes "
                "--chat off"
            )
        return None
    return ChatTemplate(source, names)


def _of_gguf(path: Path) -> tuple[str | None, dict[str, str]]:
    values = read_header(path).values
    source, pieces = values.get("tokenizer.chat_template"), values.get("tokenizer.ggml.tokens")
    names = {}
    for name in ("bos", "eos"):
        number = values.get(f"tokenizer.ggml.{name}_token_id")
        if isinstance(pieces, list) and isinstance(number, int) and 0 <= number < len(pieces):
            names[f"{name}_token"] = str(pieces[number])
    return (source if isinstance(source, str) else None), names


def _of_folder(folder: Path) -> tuple[str | None, dict[str, str]]:
    config = {}
    if (folder / "tokenizer_config.json").is_file():
        config = read_json(folder / "tokenizer_config.json")
    source = config.get("chat_template")
    if isinstance(source, list):  # several, by name
        named = {str(e.get("name")): e.get("template") for e in source if isinstance(e, dict)}
        source = named.get("default")
    beside = folder / "chat_template.jinja"
    if beside.is_file() and beside.stat().st_size <= 4 * MAX_TEMPLATE:
        source = beside.read_text("utf-8", "replace")
    names = {}
    for name in ("bos_token", "eos_token"):
        token = config.get(name)
        token = token.get("content") if isinstance(token, dict) else token
        if isinstance(token, str):
            names[name] = token
    return (source if isinstance(source, str) and source else None), names
