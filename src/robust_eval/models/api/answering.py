"""How one example is answered: label scores where a server shows them, a written answer where not."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

from robust_eval.errors import ModelError
from robust_eval.models.api.asking import Asking, Read, UnansweredError
from robust_eval.models.api.conversation import conversation
from robust_eval.models.api.faults import NotOffered, Rejected
from robust_eval.models.api.scoring import opening, walk
from robust_eval.models.api.wire import CHAT, COMPLETIONS, Alternatives, Reply, echoed, replies
from robust_eval.models.context import ModelContext
from robust_eval.models.generate import Continuation
from robust_eval.models.prompt import Prompt
from robust_eval.models.reading import read_answer
from robust_eval.models.reasoning import elect
from robust_eval.models.verdict import CONTENT_FREE, Verdict, mean_shares
from robust_eval.records import Example, Prediction, Status
from robust_eval.stats.shares import log_softmax

T = TypeVar("T")

CHAT_ENDPOINT = "chat"
SHORTER = 0.5  # share of a text that is kept when a prompt does not fit
MOST_CUTS = 16  # halvings: 5 MB end at 76 characters
SEEDS = 2**31  # servers take them as signed 32-bit numbers
LONGEST_TEXT = 400_000  # characters of one field that are sent at all, about 100,000 tokens
_WAYS = ("echo", "walk", "written")
_CHAT_WAYS = ("opening", "written")


class Answering:
    """Answers examples of one task with one prompt through one server."""

    def __init__(
        self, asking: Asking, context: ModelContext, prompt: Prompt, name: str, *, seed: int
    ) -> None:
        settings = context.prompt
        self._asking = asking
        self._task = context.task
        self._prompt = prompt
        labels = tuple(label for label, _ in prompt.words)
        self._chat = context.endpoint == CHAT_ENDPOINT
        self._scores = not settings.writes and bool(labels)
        self._calibrate = settings.calibrate and self._scores
        self._verdict = Verdict(labels, settings.length_normalised and self._scores)
        self._new_tokens = max(settings.max_new_tokens, prompt.template.max_new_tokens)
        self._samples, self._vote, self._seed = settings.samples, settings.vote, seed
        self._common = {"model": name, "temperature": settings.temperature, "seed": seed}
        self._ways = (_CHAT_WAYS if self._chat else _WAYS) if self._scores else ("written",)
        self._way = 0
        self._proven = asyncio.Event()  # whether this way has brought an answer
        self._finding_out = asyncio.Lock()
        self._free: asyncio.Task[tuple[float, ...]] | None = None

    async def answer(self, example: Example) -> Prediction:
        """The example's answer; `failed` when none could be had.

        Raises CapReachedError, InfrastructureError and ModelError when the run has to end.
        """
        if not self._proven.is_set():
            # One alone finds out what the server offers, before many ask for what it does not.
            async with self._finding_out:
                if not self._proven.is_set():
                    answer = await self._whole(example)
                    if answer.status is not Status.FAILED:
                        self._proven.set()
                    return answer
        return await self._whole(example)

    async def _whole(self, example: Example) -> Prediction:
        inputs, cut = self._fitting(example)
        try:
            for _ in range(MOST_CUTS):
                try:
                    return await self._answered(example.id, inputs, cut)
                except Rejected as refusal:
                    if refusal.filtered:
                        return Prediction(example.id, raw=str(refusal), status=Status.REFUSED)
                    inputs, cut = _shortened(inputs), True
            raise UnansweredError("the prompt does not fit, however short the text")
        except UnansweredError as error:
            return Prediction(example.id, raw=str(error), status=Status.FAILED)

    def _fitting(self, example: Example) -> tuple[dict[str, str], bool]:
        inputs = {field: example.inputs[field] for field in self._task.fields}
        cut = any(len(text) > LONGEST_TEXT for text in inputs.values())
        return {field: text[:LONGEST_TEXT] for field, text in inputs.items()}, cut

    async def _answered(self, example_id: str, inputs: Mapping[str, str], cut: bool) -> Prediction:
        while True:
            way = self._ways[self._way]
            try:
                if way == "written":
                    return await self._written(example_id, inputs, cut)
                if way == "opening":
                    return await self._opened(example_id, inputs, cut)
                sums = await self._sums(way, inputs)
                if sums is None:
                    return await self._written(example_id, inputs, cut)
                return await self._judged(example_id, sums, cut)
            except NotOffered as missing:
                if self._calibrate and self._ways[self._way + 1] == "written":
                    raise ModelError(
                        f"--calibrate needs log-probabilities, and {self._asking.channel.host} gives "
                        f"none ({missing}); leave it out"
                    ) from None
                self._way = max(self._way, self._ways.index(way) + 1)

    # --- label scores ---

    async def _sums(self, way: str, inputs: Mapping[str, str]) -> list[tuple[float, int]] | None:
        """Log-likelihood and number of tokens of each label; None when the server shows nothing."""
        text = self._prompt.render(inputs)
        answers = self._prompt.answers()
        if way == "echo":
            wholes = [text + answer for answer in answers]
            body = {"prompt": wholes, "max_tokens": 1, "echo": True, "logprobs": 1}
            return await self._ask(
                COMPLETIONS, body, lambda reply: echoed(reply, wholes, len(text))
            )

        async def following(path: str) -> Alternatives:
            body = {"prompt": text + path, "max_tokens": 1, "logprobs": self._asking.dialect.top}
            reply = await self._ask(COMPLETIONS, body, _first)
            if reply.positions is None:
                raise NotOffered("no log-probabilities")
            return reply.positions[0] if reply.positions else ()

        return await walk(answers, following)

    async def _judged(
        self, example_id: str, sums: Sequence[tuple[float, int]], cut: bool
    ) -> Prediction:
        return self._verdict.answer(
            example_id,
            [total for total, _ in sums],
            self._shares(sums),
            content_free=await self._content_free() if self._calibrate else None,
            cut=cut,
        )

    def _shares(self, sums: Sequence[tuple[float, int]]) -> tuple[float, ...]:
        return self._verdict.shares([total for total, _ in sums], [count for _, count in sums])

    async def _content_free(self) -> tuple[float, ...]:
        """Log of the mean probability of each label after inputs that say nothing; asked once."""
        if self._free is None:
            self._free = asyncio.ensure_future(self._without_content())
        return await self._free

    async def _without_content(self) -> tuple[float, ...]:
        rows = []
        for filler in CONTENT_FREE:
            inputs = dict.fromkeys(self._task.fields, filler)
            sums = await self._sums(self._ways[self._way], inputs)
            if sums is None:
                raise ModelError(
                    "--calibrate needs log-probabilities of the labels, and the server shows none of "
                    "them after an empty text; leave it out"
                )
            rows.append(self._shares(sums))
        return mean_shares(rows)

    # --- written answers ---

    async def _opened(self, example_id: str, inputs: Mapping[str, str], cut: bool) -> Prediction:
        """A chat answer with the share of each label where the answer opens."""
        reply = await self._write(
            inputs, {"logprobs": True, "top_logprobs": self._asking.dialect.top}
        )
        if reply.positions is None:
            raise NotOffered("no log-probabilities")
        words = [words for _, words in self._prompt.words]
        sums = None if reply.filtered else opening(words, reply.positions, _tokens(reply))
        if sums is None:
            return self._read(example_id, reply, cut)
        return self._verdict.answer(
            example_id, sums, log_softmax(sums), cut=cut, raw=reply.text.strip()
        )

    async def _written(self, example_id: str, inputs: Mapping[str, str], cut: bool) -> Prediction:
        """What one answer says, or the vote of several, each asked for under a seed of its own."""
        samples = []
        for number in range(self._samples):
            reply = await self._write(inputs, {"seed": (self._seed + number) % SEEDS})
            samples.append(self._read(example_id, reply, cut))
        if len(samples) == 1:
            return samples[0]
        return elect(samples, self._vote, self._prompt.template.answer_mark)

    async def _write(self, inputs: Mapping[str, str], extra: Mapping[str, Any]) -> Reply:
        body: dict[str, Any] = {"max_tokens": self._new_tokens, **extra}
        if self._chat:
            return await self._ask(
                CHAT, body | {"messages": conversation(self._prompt, inputs)}, _first
            )
        body |= {
            "prompt": self._prompt.render(inputs),
            "stop": list(self._prompt.template.stops[:4]),
        }
        return await self._ask(COMPLETIONS, body, _first)

    def _read(self, example_id: str, reply: Reply, cut: bool) -> Prediction:
        if reply.filtered:
            return Prediction(
                example_id, raw=reply.text, status=Status.REFUSED, input_truncated=cut
            )
        written = Continuation(reply.text.strip(), reply.finished)
        return read_answer(
            example_id,
            written,
            self._task.kind,
            self._prompt.words,
            cut=cut,
            template=self._prompt.template,
        )

    async def _ask(self, path: str, body: Mapping[str, Any], read: Read[T]) -> T:
        return await self._asking.ask(path, {**self._common, **body}, read)


def _first(body: Mapping[str, Any]) -> Reply:
    return replies(body)[0]


def _tokens(reply: Reply) -> list[bytes]:
    """The written tokens: at each position the alternative that the text goes on with.

    Greedy decoding writes the likeliest one; where the text says otherwise, the longest that fits.
    """
    rest = reply.text.encode()
    written = []
    for alternatives in reply.positions or ():
        fitting = [token for token, _ in alternatives if token and rest.startswith(token)]
        if not fitting:
            break
        token = fitting[0] if alternatives[0][0] == fitting[0] else max(fitting, key=len)
        written.append(token)
        rest = rest[len(token) :]
    return written


def _shortened(inputs: Mapping[str, str]) -> dict[str, str]:
    """The longest text loses half of its end."""
    field = max(sorted(inputs), key=lambda name: len(inputs[name]))
    if not inputs[field]:
        raise UnansweredError("the prompt does not fit even without the text; use fewer --shots")
    return {**inputs, field: inputs[field][: int(len(inputs[field]) * SHORTER)]}
