"""Prompted local language models: `hf:`, `gguf:` and `demo:` behind the one model seam."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cached_property, partial
from random import Random
from typing import TYPE_CHECKING, Any, Literal

from robust_eval.errors import ModelError, did_you_mean
from robust_eval.models import demo
from robust_eval.models.answers import canonical_input
from robust_eval.models.causal_details import details_of
from robust_eval.models.causal_files import CausalFiles, local_files
from robust_eval.models.chat import chat_template
from robust_eval.models.context import ModelContext
from robust_eval.models.fitting import fitted
from robust_eval.models.placement import Placement, major_minor, place
from robust_eval.models.prompt import Prompt, make_prompt
from robust_eval.models.prompt_edits import edited
from robust_eval.models.tokens import Ids, Tokens
from robust_eval.models.verdict import CONTENT_FREE, Verdict, mean_shares
from robust_eval.records import Example, Job, ModelCard, Prediction
from robust_eval.rng import hexdigest, stream

if TYPE_CHECKING:
    from robust_eval.models.prefix import Network

SCORINGS = ("labels", "generate")
MAX_PROMPT_TOKENS = 4096  # longer inputs are cut, and counted: attention grows with the square
METHOD_VERSION = 1  # raise it when a change in this package changes scores

# Tokens of one batch: newly read ones, and all that are kept in memory for it.
NEW_TOKENS = {"cpu": 2_048, "cuda": 16_384, "mps": 4_096}
WRITING_SHARE = 2  # a batch that is written may be so much larger: its cost is in the steps
HELD_TOKENS = {"cpu": 16_384, "cuda": 131_072, "mps": 16_384}


def load(spec_text: str, role: str, context: ModelContext) -> CausalModel:
    """The prompted model that `hf:<id or path>`, `gguf:<file>` or `demo:<name>` means.

    Nothing expensive happens yet: no weights are read but to hash them, and that once per file.

    Raises:
        ModelError: the model cannot be found or used, or the settings do not fit the task.
    """
    provider, _, name = spec_text.partition(":")
    settings = context.prompt
    if settings.scoring not in SCORINGS:
        raise ModelError(
            f"unknown scoring '{settings.scoring}'{did_you_mean(settings.scoring, SCORINGS)}"
        )
    if not 1 <= settings.max_new_tokens <= 1024:
        raise ModelError(f"max_new_tokens must lie in 1 to 1024, not {settings.max_new_tokens}")
    if context.batch_size is not None and context.batch_size < 1:
        raise ModelError(f"batch size must be at least 1, not {context.batch_size}")
    placement = place(context.device, context.dtype)
    prompt = make_prompt(context)
    weights = local_files(spec_text, context.cache_dir, offline=context.offline)
    licence = demo.demo(name).licence if provider == "demo" else None
    return CausalModel(spec_text, role, context, weights, prompt, placement, licence)


class CausalModel:
    """A language model that answers by the likelihood of each label, or by writing.

    Weights and tokenizer are read when the first job is planned or run, not before: a run whose
    answers are all cached never reads them.
    """

    def __init__(
        self,
        spec_text: str,
        role: str,
        context: ModelContext,
        weights: CausalFiles,
        prompt: Prompt,
        placement: Placement,
        licence: str | None = None,
    ) -> None:
        self.context = context
        self.weights = weights
        self.prompt = prompt
        self.placement = placement
        self._spec, self._role, self.licence = spec_text, role, licence
        self._labels = tuple(label for label, _ in prompt.words)
        settings = context.prompt
        self.generates = settings.writes or not context.task.has_labels
        self._limit = min(weights.context_length or MAX_PROMPT_TOKENS, MAX_PROMPT_TOKENS)
        self._new_tokens = max(settings.max_new_tokens, prompt.template.max_new_tokens)
        self._verdict = Verdict(self._labels, settings.length_normalised)
        self.loaded = context.shelf.of(
            weights.sha256, weights.setup, placement.device, placement.dtype
        )
        self._repeat = 0
        self.chat = chat_template(weights, settings.chat)

    # --- the model seam ---

    @property
    def card(self) -> ModelCard:
        role: Literal["model", "baseline"] = "baseline" if self._role == "baseline" else "model"
        return ModelCard(
            name=self._name,
            spec=self._spec,
            role=role,
            kind="prompted",
            fingerprint=self._fingerprint,
            deterministic=not self.temperature,
            parameters=self.weights.parameters,
            details=details_of(self),
        )

    def with_prompt(self, edit: str) -> CausalModel | str:
        """The same weights under an edited prompt, or why the edit does not apply; nothing is read twice."""
        changed = edited(self.prompt, edit)
        if isinstance(changed, str):
            return changed
        twin = copy.copy(self)
        for known in ("_fingerprint", "content_free"):
            twin.__dict__.pop(known, None)
        twin.prompt = changed
        return twin

    def with_demonstrations(self, pool: tuple[Example, ...]) -> CausalModel:
        """The same weights, shown examples drawn from another pool."""
        twin = copy.copy(self)
        for known in ("_fingerprint", "content_free"):
            twin.__dict__.pop(known, None)
        twin.context = replace(self.context, demonstrations=pool)
        twin.prompt = make_prompt(twin.context)
        return twin

    @property
    def labels(self) -> tuple[str, ...]:
        """Label order of `label_logprobs` and `scores`; empty for tasks without labels."""
        return self._labels

    def jobs(self, examples: Sequence[Example]) -> Iterator[Job]:
        """Batches of prompts of similar length, longest first; planned from the whole list."""
        from robust_eval.models.batches import GeneratingPlan, ScoringPlan

        plan = GeneratingPlan(self, examples) if self.generates else ScoringPlan(self, examples)
        for indices in plan.batches:
            yield Job(indices, partial(plan.answer, indices))

    # --- what the plans ask for ---

    @property
    def tokens(self) -> Tokens:
        if self.loaded.tokens is None:
            from robust_eval.models.tokens import load_tokens

            self.loaded.tokens = load_tokens(self.weights, self.context.cache_dir)
        return self.loaded.tokens

    @property
    def network(self) -> Network:
        if self.loaded.network is None:
            from robust_eval.models.prefix import load_network

            scratch = self.context.cache_dir / "scratch"
            self.loaded.network = load_network(self.weights, self.placement, scratch)
        return self.loaded.network

    def holds(self) -> object:
        """The weights' place in memory, which draws and edited prompts of one model have in common."""
        return self.loaded

    def release(self) -> None:
        self.loaded.release()

    @property
    def limit(self) -> int:
        """How many tokens a prompt and its answer may have together."""
        return self._limit

    @property
    def new_tokens(self) -> int:
        """How many tokens an answer may have when it is written."""
        return self._new_tokens

    @property
    def temperature(self) -> float:
        """0 is greedy."""
        return self.context.prompt.temperature if self.generates else 0.0

    @property
    def ends(self) -> tuple[str, ...]:
        """Texts that end a written answer; a chat model ends a chain of reasoning itself."""
        template = self.prompt.template
        return () if self.chat and template.reasoning else template.stops

    def encoded(
        self, many: Sequence[Mapping[str, str]], answers: Sequence[str]
    ) -> list[tuple[Ids, list[Ids]]]:
        """Each prompt in tokens, and with each answer after it; texts are tokenised whole."""
        if self.chat:
            tails = [self.tokens.plain(answer.strip()) for answer in answers]
            prompts = [self.chat.ids(self.tokens, self.prompt, inputs) for inputs in many]
            return [(ids, [ids + tail for tail in tails]) for ids in prompts]
        texts = []
        for inputs in many:
            text = self.prompt.render(inputs)
            texts += [text, *(text + answer for answer in answers)]
        ids = self.tokens.encode(texts)
        step = 1 + len(answers)
        return [(ids[i * step], ids[i * step + 1 : (i + 1) * step]) for i in range(len(many))]

    def draws(self, example: Example) -> list[Random]:
        """One stream for each sample of an example's answer, of this repeat."""
        key = ("sample", self._fingerprint, example.id, canonical_input(example), self._repeat)
        return [
            stream(self.context.seed, *key, number) for number in range(self.context.prompt.samples)
        ]

    def with_repeat(self, repeat: int) -> CausalModel:
        """The same model with its further draws; one that is greedy answers alike."""
        twin = copy.copy(self)
        twin._repeat = repeat
        return twin

    @property
    def end_tokens(self) -> frozenset[int]:
        """Tokens that end a text, by the model's own configuration."""
        stops: set[int] = set()
        generation = getattr(self.network.model, "generation_config", None)
        for source in (generation, self.network.model.config):
            found = getattr(source, "eos_token_id", None)
            stops.update([found] if isinstance(found, int) else found or [])
        return frozenset(stops)

    def fitted(self, example: Example, room: int) -> tuple[Mapping[str, str], bool]:
        """The example's texts, the longest one cut at its end until the prompt has `room`.

        Returns the texts, and whether any was cut. The end of the prompt always stays whole.

        Raises:
            ModelError: the prompt is too long even without the texts.
        """
        inputs = {field: example.inputs[field] for field in self.context.task.fields}
        return fitted(inputs, room, self._length)

    def _length(self, inputs: Mapping[str, str]) -> int:
        return len(self.encoded([inputs], ())[0][0])

    def batch_rows(self, new: int, held: int) -> int:
        """How many rows of `new` tokens to read, after `held` kept ones, make a batch."""
        if self.context.batch_size is not None:
            return self.context.batch_size
        kind = self.placement.kind
        return max(1, min(NEW_TOKENS[kind] // max(1, new), HELD_TOKENS[kind] // (new + held)))

    def writing_rows(self, length: int, prefix: int) -> int:
        """How many prompts of this length, prefix included, are answered in writing together."""
        if self.context.batch_size is not None:
            return self.context.batch_size
        kind = self.placement.kind
        read = NEW_TOKENS[kind] * WRITING_SHARE // max(1, length - prefix)
        held = HELD_TOKENS[kind] * WRITING_SHARE // (length + self._new_tokens)
        return max(1, min(read, held) // self.context.prompt.samples)

    @cached_property
    def content_free(self) -> tuple[float, ...]:
        """Log of the mean probability of each label after inputs that say nothing."""
        from robust_eval.models.label_scores import label_logprobs

        rows = []
        for filler in CONTENT_FREE:
            asked = self.question(dict.fromkeys(self.context.task.fields, filler))
            (sums,) = label_logprobs(self.network, (), [asked])
            rows.append(self._verdict.shares(sums, [len(a) for a in asked.answers]))
        return mean_shares(rows)

    def question(self, inputs: Mapping[str, str]) -> Any:
        """The prompt with each label, in tokens."""
        from robust_eval.models.label_scores import question

        ((prompt, wholes),) = self.encoded([inputs], self.prompt.answers())
        return question(prompt, wholes)

    def judged(
        self, example_id: str, sums: Sequence[float], lengths: Sequence[int], *, cut: bool
    ) -> Prediction:
        """The answer that these log-likelihoods of the labels give."""
        return self._verdict.answer(
            example_id,
            sums,
            self._verdict.shares(sums, lengths),
            content_free=self.content_free if self.context.prompt.calibrate else None,
            cut=cut,
        )

    # --- identity ---

    @property
    def _name(self) -> str:
        return f"{self._spec} ({self.context.prompt.shots}-shot)"

    @cached_property
    def _fingerprint(self) -> str:
        settings = self.context.prompt
        return hexdigest(
            "causal",
            METHOD_VERSION,
            self.weights.kind,
            self.weights.sha256,
            self.weights.setup,
            self.prompt.fingerprint(),
            self.context.task.kind.value,
            *self._labels,
            "generate" if self.generates else "labels",
            int(settings.length_normalised and not self.generates),
            int(settings.calibrate and not self.generates),
            self._new_tokens if self.generates else 0,
            self.placement.dtype,
            self.placement.kind,
            self._limit,
            self.context.batch_size or 0,
            *self._drawn(),
            *(["chat", self.chat.source] if self.chat else ()),
            major_minor("torch"),
            major_minor("transformers"),
            major_minor("tokenizers"),
        )

    def _drawn(self) -> tuple[str | int, ...]:
        """How answers are drawn, where they are."""
        settings = self.context.prompt
        if not self.temperature:
            return ()
        vote = settings.vote if settings.samples > 1 else ""
        return ("drawn", repr(self.temperature), settings.samples, vote, self.context.seed)
