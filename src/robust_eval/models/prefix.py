"""A loaded language model that computes a shared prompt prefix once.

The traps this is built around:

- A cache of a sliding-window layer has forgotten what left the window, so it cannot be cropped: the
  prefix is computed by itself, and every batch gets its own view of it.
- Suffixes are padded on the right. What is real then never sees padding, and its distance to the
  prefix is the true one. (Padding between prefix and suffix would widen that distance, and shrink
  what a sliding window sees.)
- The vocabulary row, a third of a small model's work, is computed at scored positions only.
"""

from __future__ import annotations

import copy
import inspect
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from robust_eval.errors import ModelError, OutOfMemoryError
from robust_eval.models.causal_files import CausalFiles
from robust_eval.models.placement import Placement
from robust_eval.models.tokens import Ids

if TYPE_CHECKING:
    from pathlib import Path

    import torch

# Cache layers whose tensors grow by concatenation: a shared view of them is never written to.
GROWING_LAYERS = frozenset({"DynamicLayer", "DynamicSlidingWindowLayer"})
HALVED = "some batches were halved: memory ran out"
PROBE = 6  # tokens of the comparison at loading
PROBE_TOLERANCE = {"float32": 1e-3, "bfloat16": 0.3, "float16": 0.1}  # in logits


@dataclass(slots=True)
class Prefix:
    """Keys and values of tokens that many prompts start with; `cache` is never written to."""

    length: int
    cache: Any


class Network:
    """A causal language model in evaluation mode, with the few operations that scoring needs."""

    def __init__(self, model: Any, placement: Placement) -> None:
        self.model = model.to(placement.device).eval()
        self.placement = placement
        self.notes: list[str] = []
        self._body = _body(self.model)
        parameters = inspect.signature(self._body.forward).parameters
        self._takes_positions = "position_ids" in parameters
        self._memo: tuple[Ids, Prefix] | None = None
        self._whole_head = False
        self.reuses_prefix = True
        self._probe()

    # --- what scoring asks for ---

    def prefix(self, ids: Ids) -> Prefix | None:
        """The prefix computed, or None where this architecture cannot share one."""
        if not ids or not self.reuses_prefix:
            return None
        if self._memo is None or self._memo[0] != ids:
            self._memo = None  # the old one's memory first
            _, cache = self.forward([ids], None, ())
            self._memo = (ids, Prefix(len(ids), cache))
        return self._memo[1]

    def forward(
        self,
        rows: Sequence[Ids],
        past: Prefix | None,
        at: Sequence[tuple[int, int]],
        *,
        keep: bool = True,
        missing: Sequence[int] = (),
    ) -> tuple[torch.Tensor, Any]:
        """Logits in float32 at the (row, column) pairs asked for, and the cache after the rows.

        Rows may differ in length; they continue `past`, whose batch is one or as many as the rows.
        `missing` says how many of the past's first places are padding, row by row.
        """
        import torch

        done = past.length if past else 0
        width = max(map(len, rows))
        ids = torch.zeros((len(rows), width), dtype=torch.long)
        mask = torch.ones((len(rows), done + width), dtype=torch.long)
        for i, row in enumerate(rows):
            ids[i, : len(row)] = torch.tensor(row)
            mask[i, done + len(row) :] = 0
            if missing:
                mask[i, : missing[i]] = 0
        inputs: dict[str, Any] = {
            "input_ids": ids.to(self.placement.device),
            "attention_mask": mask.to(self.placement.device),
            "use_cache": keep or past is not None,
        }
        if self._takes_positions:
            positions = torch.arange(done, done + width).expand(len(rows), -1)
            if missing:
                positions = positions - torch.tensor(missing).unsqueeze(-1)
            inputs["position_ids"] = positions.to(self.placement.device)
        if past is not None:
            inputs["past_key_values"] = spread(past.cache, len(rows))
        with torch.inference_mode(), _memory_guard():
            return self._computed(inputs, at)

    def scored(self, rows: Sequence[Ids], at: Sequence[tuple[int, int]]) -> torch.Tensor:
        """The same logits with gradients, each row read from its start. For training."""
        import torch

        width = max(map(len, rows))
        ids = torch.zeros((len(rows), width), dtype=torch.long)
        mask = torch.zeros((len(rows), width), dtype=torch.long)
        for i, row in enumerate(rows):
            ids[i, : len(row)] = torch.tensor(row)
            mask[i, : len(row)] = 1
        device = self.placement.device
        inputs = {"input_ids": ids.to(device), "attention_mask": mask.to(device)}
        return self._computed({**inputs, "use_cache": False}, at)[0]

    def _computed(
        self, inputs: dict[str, Any], at: Sequence[tuple[int, int]]
    ) -> tuple[torch.Tensor, Any]:
        import torch

        if self._whole_head:
            out = self.model(**inputs)
            picked = [out.logits[i, j].float() for i, j in at]
            logits = torch.stack(picked) if picked else torch.empty(0)
        else:
            out = self._body(**inputs)
            logits = self._vocabulary(out.last_hidden_state, at)
        return logits, getattr(out, "past_key_values", None)

    def _vocabulary(self, hidden: torch.Tensor, at: Sequence[tuple[int, int]]) -> torch.Tensor:
        import torch

        if not at:
            return torch.empty(0)
        rows = torch.tensor([i for i, _ in at], device=hidden.device)
        columns = torch.tensor([j for _, j in at], device=hidden.device)
        logits: torch.Tensor = self.model.get_output_embeddings()(hidden[rows, columns]).float()
        config = self.model.config
        if scale := getattr(config, "logit_scale", None):  # Cohere
            logits = logits * scale
        if scaling := getattr(config, "logits_scaling", None):  # Granite
            logits = logits / scaling
        if cap := getattr(config, "final_logit_softcapping", None):  # Gemma 2
            logits = torch.tanh(logits / cap) * cap
        return logits

    def give_memory_back(self) -> None:
        """After memory ran out: nothing is kept but the weights, and the card says what happened."""
        import torch

        self._memo = None
        if self.placement.kind == "cuda":
            torch.cuda.empty_cache()
        if HALVED not in self.notes:
            self.notes.append(HALVED)

    # --- what is found out once ---

    def _probe(self) -> None:
        """Compares both short cuts with the model's own plain forward pass on six tokens."""
        import torch

        tolerance = PROBE_TOLERANCE[self.placement.dtype]
        # From the middle of the vocabulary: the first tokens are special ones, after which some models'
        # numbers are so large that rounding alone is over the tolerance.
        first = self.model.get_input_embeddings().num_embeddings // 2
        probe: Ids = tuple(range(first, first + PROBE))
        ids = torch.tensor([probe], device=self.placement.device)
        with torch.inference_mode(), _memory_guard():
            plain = self.model(input_ids=ids, use_cache=False).logits[0].float()
        if not bool(torch.isfinite(plain).all()):
            raise ModelError(
                f"the model gives no finite numbers in {self.placement.dtype}; use --dtype float32"
            )
        at = [(0, PROBE - 1)]
        try:
            ours, _ = self.forward([probe], None, at, keep=False)
            self._whole_head = not _near(ours[0], plain[-1], tolerance)
        except (AttributeError, TypeError, ValueError, RuntimeError, IndexError):
            self._whole_head = True
        if self._whole_head:
            self.notes.append("vocabulary computed at every position: unknown output layer")
        try:
            _, cache = self.forward([probe[:3]], None, ())
            if can_spread(cache):
                past = Prefix(3, cache)
                two, _ = self.forward([probe[3:], probe[3:5]], past, [(0, 2), (1, 1)])
                again, _ = self.forward([probe[3:]], past, [(0, 2)])
                self.reuses_prefix = (
                    _near(two[0], plain[5], tolerance)
                    and _near(two[1], plain[4], tolerance)
                    and _near(again[0], plain[5], tolerance)
                )
            else:
                self.reuses_prefix = False
        except (AttributeError, TypeError, ValueError, RuntimeError, IndexError):
            self.reuses_prefix = False
        if not self.reuses_prefix:
            self.notes.append(
                "prompt prefix computed for every example: its cache cannot be shared"
            )


def _body(model: Any) -> Any:
    """The model without its vocabulary; transformers 4.57 calls Gemma 3 its own base model."""
    body = model.base_model
    return body if body is not model else getattr(model, "model", model)


def _near(ours: torch.Tensor, plain: torch.Tensor, tolerance: float) -> bool:
    return ours.shape == plain.shape and bool((ours - plain).abs().max() <= tolerance)


def can_spread(cache: Any) -> bool:
    """Whether every layer of the cache is of a kind whose tensors can be shared by a batch."""
    layers = getattr(cache, "layers", None) or ()
    return bool(layers) and all(type(layer).__name__ in GROWING_LAYERS for layer in layers)


def spread(cache: Any, rows: int) -> Any:
    """The cache for a batch of `rows`, the original untouched.

    A cache of one row is shared by all as a view: layers grow by concatenation, which copies.
    """

    def each(tensor: torch.Tensor) -> torch.Tensor:
        return tensor if tensor.shape[0] == rows else tensor.expand(rows, *tensor.shape[1:])

    return _mapped(cache, each)


def select(cache: Any, rows: Sequence[int]) -> Any:
    """The cache of the rows named, in that order; a row may be named several times."""
    import torch

    def each(tensor: torch.Tensor) -> torch.Tensor:
        return tensor.index_select(0, torch.tensor(rows, device=tensor.device))

    return _mapped(cache, each)


def joined(parts: Sequence[tuple[Any, int]]) -> Any:
    """The caches of several (cache, length) as one batch, shorter ones padded on the left.

    A sliding-window layer holds the last tokens only, and padding on the left stands where its window
    has forgotten, or never had, a token.
    """
    import torch

    longest = max(parts, key=lambda part: part[1])[0]
    if len(parts) == 1:
        return longest
    fresh = copy.copy(longest)
    fresh.layers = []
    for at, layer in enumerate(longest.layers):
        twin = copy.copy(layer)  # of the longest: it has seen most tokens
        for name in ("keys", "values"):
            tensors = [getattr(cache.layers[at], name) for cache, _ in parts]
            width = max(tensor.shape[-2] for tensor in tensors)
            padded = [
                torch.nn.functional.pad(tensor, (0, 0, width - tensor.shape[-2], 0))
                for tensor in tensors
            ]
            setattr(twin, name, torch.cat(padded))
        fresh.layers.append(twin)
    return fresh


def _mapped(cache: Any, each: Any) -> Any:
    fresh = copy.copy(cache)
    fresh.layers = []
    for layer in cache.layers:
        twin = copy.copy(layer)
        if getattr(layer, "keys", None) is not None:
            twin.keys, twin.values = each(layer.keys), each(layer.values)
        fresh.layers.append(twin)
    return fresh


def load_network(weights: CausalFiles, placement: Placement, scratch: Path) -> Network:
    """The model, ready to score.

    Raises:
        ModelError: weights that transformers cannot load, or that need code of their own.
        InfrastructureError: not enough memory.
    """
    import torch

    from robust_eval.models.gguf_file import load_gguf

    dtype = getattr(torch, placement.dtype)
    with _memory_guard():
        if weights.kind == "gguf":
            return Network(load_gguf(weights.path, dtype, scratch), placement)
        return Network(_load_folder(weights, dtype), placement)


def _load_folder(weights: CausalFiles, dtype: torch.dtype) -> Any:
    from transformers import AutoModelForCausalLM
    from transformers.utils import logging

    logging.disable_progress_bar()
    try:
        model, report = AutoModelForCausalLM.from_pretrained(
            str(weights.path),
            dtype=dtype,
            use_safetensors=True,
            trust_remote_code=False,
            output_loading_info=True,
        )
    except (OSError, ValueError, KeyError, ImportError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise ModelError(
            f"'{weights.path}' cannot be loaded as a causal language model: {reason}"
        ) from error
    finally:
        logging.enable_progress_bar()
    missing = sorted(name for name in report.get("missing_keys", ()) if "lm_head" not in name)
    if missing or report.get("mismatched_keys"):
        raise ModelError(
            f"'{weights.path}' lacks weights ({', '.join(missing[:3])}): is it a causal language "
            "model?"
        )
    return model


class _memory_guard:  # noqa: N801 - reads as a statement
    """Turns running out of memory into one line with the remedy."""

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: type | None, error: BaseException | None, trace: object) -> None:
        if error is None:
            return
        text = str(error)
        short = isinstance(error, MemoryError) or (
            isinstance(error, RuntimeError)
            and (type(error).__name__ == "OutOfMemoryError" or "allocate memory" in text)
        )
        if short:
            raise OutOfMemoryError(
                "out of memory while running the model; use a smaller --batch-size, --dtype "
                "bfloat16, or a smaller model, and run the same command again to continue"
            ) from error
