"""`lora:` and `full:`: the very model that is prompted, fine-tuned, its labels scored in the very same way.

What is trained is the score that prompting reads: the log-likelihood of each label's words after the zero-shot prompt, by
cross entropy over the labels. Prompted and fine-tuned then differ in how the examples are used, and in nothing else.

Source: pattern-based fine-tuning as in Mosbach et al. (2023), arXiv:2305.16938; LoRA: Hu et al. (2021), arXiv:2106.09685.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from robust_eval.errors import ModelError
from robust_eval.models import causal, finetune
from robust_eval.models.causal import CausalModel
from robust_eval.models.checkpoints import WEIGHTS
from robust_eval.models.context import ModelContext
from robust_eval.models.memory import Loaded
from robust_eval.models.placement import Placement, major_minor
from robust_eval.models.specs import Role, parse_spec
from robust_eval.records import ModelCard, Progress
from robust_eval.rng import hexdigest

if TYPE_CHECKING:
    from robust_eval.models.learners import HeldOut, Learner
    from robust_eval.models.prefix import Network

RANK: Final = 8
ALPHA: Final = 16
ADAPTED: Final = "all-linear"  # every linear layer but the vocabulary's


def load(spec: str, role: Role, context: ModelContext) -> AdaptedModel:
    """The model that `lora:<causal spec>` or `full:<causal spec>` means, not yet trained.

    Raises ModelError when the inner spec is no local language model, the task has no labels, or peft is missing.
    """
    parsed = parse_spec(spec, role)
    method, inner = parsed.provider, parsed.name
    if not inner.startswith(("hf:", "gguf:", "demo:")):
        inner = f"hf:{inner}"
    if not context.task.has_labels:
        raise ModelError(
            f"{spec!r} scores labels and cannot answer the task {context.task.kind.value}; compare "
            "with a prompted model or an encoder instead"
        )
    if context.prompt.scoring != "labels":
        raise ModelError(f"{spec!r} scores labels: it takes --scoring labels only")
    finetune.check_data(spec, context)
    if method == "lora" and find_spec("peft") is None:
        raise ModelError(f"{spec!r} needs the package peft; pip install 'robust-eval[lora]'")
    zero_shot = replace(context, prompt=replace(context.prompt, shots=0, calibrate=False))
    return AdaptedModel(method, spec, causal.load(inner, role, zero_shot))


class AdaptedModel:
    """A language model behind the seam of a prompted one, with trained weights."""

    def __init__(self, method: str, spec: str, inner: CausalModel) -> None:
        self._method, self._spec, self._inner = method, spec, inner
        inner.loaded = Loaded(inner.loaded.tokens)  # its weights will be no others' weights
        self._context = inner.context
        prompted = inner.card
        weights = inner.weights
        also = [f"rank={RANK}", f"alpha={ALPHA}", ADAPTED, f"peft {major_minor('peft')}"]
        self._plan = finetune.plan(
            method,
            f"{spec.partition(':')[2]} ({'LoRA' if method == 'lora' else 'all weights'})",
            hexdigest(weights.sha256, weights.setup, inner.prompt.fingerprint()),
            weights.parameters,
            self._context,
            inner.placement.device,
            partial(_learner, inner),
            f"length_normalised={self._context.prompt.length_normalised}",
            *(also if method == "lora" else ()),
        )
        self._base = prompted
        self._fingerprint = hexdigest("adapted", self._plan.key, prompted.fingerprint)

    @property
    def labels(self) -> tuple[str, ...]:
        return self._inner.labels

    @property
    def card(self) -> ModelCard:
        """The prompted model's card with what was trained; its result once there is a checkpoint."""
        training = self._plan.result()
        details: dict[str, Any] = {
            **{k: v for k, v in self._base.details.items() if k not in ("shots", "demonstrations")},
            "method": "LoRA" if self._method == "lora" else "all weights",
            "hyperparameters": asdict(self._plan.settings),
            "seed": self._context.seed,
            "training": training,
        }
        if self._method == "lora":
            details["lora"] = {"rank": RANK, "alpha": ALPHA, "layers": ADAPTED}
        if said := self._plan.warnings(training):
            details["warnings"] = said
        return replace(
            self._base,
            name=self._spec,
            spec=self._spec,
            kind="fine-tuned",
            fingerprint=self._fingerprint,
            details=details,
        )

    def prepare(self, progress: Progress) -> None:
        """Fine-tunes unless a sound checkpoint is there, and loads the trained model."""
        if self._inner.loaded.network is None:
            checkpoint = finetune.ensure(self._plan, progress)
            self._inner.loaded.network = _trained(self._method, self._inner, checkpoint)

    def holds(self) -> object:
        return self._inner.holds()

    def release(self) -> None:
        self._inner.release()

    def jobs(self, examples: Sequence[Any]) -> Any:
        """The prompted model's own plan; answers come from the trained weights."""
        from robust_eval.models.batches import ScoringPlan
        from robust_eval.records import Job

        plan = ScoringPlan(self._inner, examples)

        def answer(indices: Sequence[int]) -> Any:
            self.prepare(self._context.progress)
            return plan.answer(indices)

        for indices in plan.batches:
            yield Job(indices, partial(answer, indices))


class LabelScoreLearner:
    """Cross entropy over the labels' log-likelihoods, as prompting would score them."""

    def __init__(
        self, inner: CausalModel, network: Network, trained: Any, plan: finetune.Plan
    ) -> None:
        import torch

        from robust_eval.models.batches import asked

        self._inner, self._scorer, self.network = inner, network, trained
        self.device = plan.device
        context = plan.context
        train = asked(inner, context.train)
        self._questions = [question for question, _ in train]
        self.truncated = sum(cut for _, cut in train)
        self._dev = [question for question, _ in asked(inner, context.dev)]
        self._targets = [context.labels.index(str(e.target)) for e in context.train]
        self._dev_targets = [context.labels.index(str(e.target)) for e in context.dev]
        weights = plan.weights_of_classes()
        self._weights = torch.tensor(weights, device=self.device) if weights else None
        self._normalise = context.prompt.length_normalised

    @property
    def lengths(self) -> Sequence[int]:
        return [len(question.row) for question in self._questions]

    def loss(self, items: Sequence[int]) -> Any:
        import torch

        scores = self._scores([self._questions[i] for i in items])
        wanted = torch.tensor([self._targets[i] for i in items], device=scores.device)
        losses = torch.nn.functional.cross_entropy(scores, wanted, reduction="none")
        if self._weights is not None:
            losses = losses * self._weights[wanted]
        return losses.mean()

    def held_out(self) -> HeldOut | None:
        """Accuracy, with unequal classes the mean over the classes; and the mean log loss."""
        import torch

        from robust_eval.models.learners import EVALUATION_BATCH, held_out_of

        if not self._dev:
            return None
        rows: dict[int, list[float]] = {}
        order = sorted(range(len(self._dev)), key=lambda i: (len(self._dev[i].row), i))
        with torch.no_grad():
            for start in range(0, len(order), EVALUATION_BATCH):
                part = order[start : start + EVALUATION_BATCH]
                scores = torch.log_softmax(self._scores([self._dev[i] for i in part]), dim=-1)
                rows |= dict(zip(part, scores.tolist(), strict=True))
        found = [rows[i] for i in range(len(self._dev))]
        return held_out_of(found, self._dev_targets, by_class=self._weights is not None)

    def save(self, folder: Path) -> None:
        """The trained weights alone, in one safetensors file."""
        from safetensors.torch import save_file

        from robust_eval.models.training import trained_weights

        weights = {name: w.contiguous().cpu() for name, w in trained_weights(self.network).items()}
        save_file(weights, folder / WEIGHTS, metadata={"format": "pt"})

    def _scores(self, questions: Sequence[Any]) -> Any:
        """Each label's summed log-likelihood, one row a question, with gradients."""
        import torch

        rows: list[tuple[int, ...]] = []
        at: list[tuple[int, int]] = []
        wanted: list[tuple[int, int, int, int]] = []  # question, label, row of `at`, token
        for number, asked in enumerate(questions):
            start = len(asked.given) - 1
            for path in asked.paths or ((),):
                for label, answer in enumerate(asked.answers):
                    wanted += [
                        (number, label, len(at) + t, token)
                        for t, token in enumerate(answer)
                        # Each token once: on the first path that leads to it.
                        if answer[:t] == path[:t] and _first(asked.paths, answer[:t]) == path
                    ]
                at += [(len(rows), start + t) for t in range(len(path) + 1)]
                rows.append(asked.given + path)
        logits = self._scorer.scored(rows, at)
        table = torch.log_softmax(logits, dim=-1)
        picked = table[[w[2] for w in wanted], [w[3] for w in wanted]]
        labels = len(questions[0].answers)
        place = torch.tensor([w[0] * labels + w[1] for w in wanted], device=picked.device)
        sums = torch.zeros(len(questions) * labels, device=picked.device).index_add(
            0, place, picked
        )
        scores = sums.reshape(len(questions), labels)
        if self._normalise:
            lengths = [[len(answer) for answer in asked.answers] for asked in questions]
            scores = scores / torch.tensor(lengths, device=scores.device)
        return scores


def _first(paths: Sequence[tuple[int, ...]], begun: tuple[int, ...]) -> tuple[int, ...]:
    """The first path that begins so."""
    return next((path for path in paths if path[: len(begun)] == begun), ())


def _learner(inner: CausalModel, plan: finetune.Plan) -> Learner:
    network = _fresh(inner, Placement(plan.device, "float32"))
    trained = network.model
    if plan.method == "lora":
        trained = _with_adapters(network.model)
    return LabelScoreLearner(inner, network, trained, plan)


def _fresh(inner: CausalModel, placement: Placement) -> Network:
    from robust_eval.models.prefix import load_network

    return load_network(inner.weights, placement, inner.context.cache_dir / "scratch")


def _with_adapters(model: Any) -> Any:
    """The model with low-rank matrices beside its layers; only they are trained."""
    from peft import LoraConfig, get_peft_model

    settings = LoraConfig(
        r=RANK, lora_alpha=ALPHA, target_modules=ADAPTED, lora_dropout=0.0, task_type="CAUSAL_LM"
    )
    with warnings.catch_warnings():
        # peft still asks transformers 5 by the old name whether activations are checkpointed.
        warnings.filterwarnings("ignore", "`is_gradient_checkpointing`", FutureWarning)
        return get_peft_model(model, settings)


def _trained(method: str, inner: CausalModel, checkpoint: Path) -> Network:
    """The base with what a checkpoint holds, in the number format that prompting would use."""
    import torch
    from safetensors.torch import load_file

    from robust_eval.models.prefix import Network

    network = _fresh(inner, Placement(inner.placement.device, "float32"))
    model = _with_adapters(network.model) if method == "lora" else network.model
    weights: Mapping[str, Any] = load_file(checkpoint / WEIGHTS)
    unknown = model.load_state_dict(weights, strict=False).unexpected_keys
    if unknown:
        raise ModelError(f"the checkpoint {checkpoint} is not of this model ({unknown[0]})")
    if method == "lora":
        model = model.merge_and_unload()
    return Network(model.to(getattr(torch, inner.placement.dtype)), inner.placement)
