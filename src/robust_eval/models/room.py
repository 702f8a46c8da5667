"""Caches with room for what will be written: a step puts its tokens beside the others, which stay where they are.

The layers of transformers grow by concatenation, which copies keys and values of every row at every step.
"""

from __future__ import annotations

import copy
from typing import Any

import torch
from transformers.cache_utils import DynamicLayer, DynamicSlidingWindowLayer


def with_room(cache: Any, more: int) -> Any:
    """The cache, its layers able to take `more` further tokens in place; the original is never written to.

    It can be continued once, by as many rows as it has: a second continuation would write over the first.
    Layers of other kinds stay as they are.
    """
    fresh = copy.copy(cache)
    fresh.layers = [_roomy(layer, more) for layer in cache.layers]
    return fresh


def _roomy(layer: Any, more: int) -> Any:
    kind = _ROOMY.get(type(layer))
    if kind is None or getattr(layer, "keys", None) is None:
        return layer
    roomy: Any = object.__new__(kind)
    roomy.__dict__.update(layer.__dict__)
    roomy.filled = layer.keys.shape[-2]
    for name, room in (("keys", "room_keys"), ("values", "room_values")):
        held = getattr(layer, name)
        space = held.new_empty((*held.shape[:2], held.shape[2] + more, held.shape[3]))
        space[:, :, : roomy.filled] = held
        setattr(roomy, room, space)
        setattr(roomy, name, space[:, :, : roomy.filled])
    return roomy


class _Room:
    """What both kinds of layer share: the buffers, and where the next tokens go."""

    room_keys: torch.Tensor
    room_values: torch.Tensor
    filled: int

    def _put(self, keys: torch.Tensor, values: torch.Tensor) -> None:
        end = self.filled + keys.shape[-2]
        self.room_keys[:, :, self.filled : end] = keys
        self.room_values[:, :, self.filled : end] = values
        self.filled = end

    def _seen(self, last: int) -> tuple[torch.Tensor, torch.Tensor]:
        first = max(0, self.filled - last)
        return (
            self.room_keys[:, :, first : self.filled],
            self.room_values[:, :, first : self.filled],
        )


class RoomyLayer(_Room, DynamicLayer):  # type: ignore[misc]
    """A layer that attends to everything."""

    def update(self, key_states: Any, value_states: Any, *args: Any, **kwargs: Any) -> Any:
        self._put(key_states, value_states)
        self.keys, self.values = self._seen(self.filled)
        return self.keys, self.values


class RoomyWindowLayer(_Room, DynamicSlidingWindowLayer):  # type: ignore[misc]
    """A layer that attends to the last tokens only; those before stay in the buffer, unread."""

    def update(self, key_states: Any, value_states: Any, *args: Any, **kwargs: Any) -> Any:
        new = key_states.shape[-2]
        window = self.sliding_window - 1
        self.cumulative_length += new
        self._put(key_states, value_states)
        self.keys, self.values = self._seen(window)
        return self._seen(window + new)


_ROOMY: dict[type, type] = {
    DynamicLayer: RoomyLayer,
    DynamicSlidingWindowLayer: RoomyWindowLayer,
    RoomyLayer: RoomyLayer,  # rows were taken out: new buffers for those that are left
    RoomyWindowLayer: RoomyWindowLayer,
}
