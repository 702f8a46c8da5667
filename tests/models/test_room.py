"""Caches that take new tokens in place hold and show what growing ones do."""

from __future__ import annotations

import copy
from typing import Any

import pytest

torch = pytest.importorskip("torch")
from transformers.cache_utils import (  # noqa: E402
    DynamicCache,
    DynamicLayer,
    DynamicSlidingWindowLayer,
)

from robust_eval.models.prefix import select  # noqa: E402
from robust_eval.models.room import with_room  # noqa: E402

ROWS, HEADS, WIDTH = 3, 2, 4


def states(count: int, seed: int) -> tuple[Any, Any]:
    draw = torch.Generator().manual_seed(seed)
    shape = (ROWS, HEADS, count, WIDTH)
    return torch.randn(shape, generator=draw), torch.randn(shape, generator=draw)


def filled(count: int) -> Any:
    cache = DynamicCache()
    cache.layers = [DynamicLayer(), DynamicSlidingWindowLayer(6)]
    for layer in cache.layers:
        layer.update(*states(count, 0))
    return cache


@pytest.mark.parametrize("count", [2, 5, 6, 9])
def test_every_step_shows_the_keys_and_values_that_a_growing_cache_shows(count: int) -> None:
    growing, roomy = filled(count), with_room(filled(count), 8)
    for step, new in enumerate((1, 1, 3, 1, 2), 1):
        for plain, ours in zip(growing.layers, roomy.layers, strict=True):
            expected, given = plain.update(*states(new, step)), ours.update(*states(new, step))
            for one, other in zip(expected, given, strict=True):
                assert torch.equal(one, other)
            assert torch.equal(plain.keys, ours.keys)
            assert torch.equal(plain.values, ours.values)
            assert plain.get_seq_length() == ours.get_seq_length()


def test_what_is_there_stays_in_its_place_and_the_original_is_not_written_to() -> None:
    cache = filled(5)
    before = [layer.keys.clone() for layer in cache.layers]
    roomy = with_room(cache, 2)
    places = [layer.room_keys.data_ptr() for layer in roomy.layers]
    for layer in roomy.layers:
        layer.update(*states(1, 1))
        layer.update(*states(1, 2))
    assert [layer.room_keys.data_ptr() for layer in roomy.layers] == places
    assert roomy.layers[0].keys.data_ptr() == places[0]
    for layer, keys in zip(cache.layers, before, strict=True):
        assert torch.equal(layer.keys, keys)


def test_rows_that_are_taken_out_go_on_in_buffers_of_their_own() -> None:
    growing, roomy = filled(4), with_room(filled(4), 3)
    for layer in (*growing.layers, *roomy.layers):
        layer.update(*states(1, 1))
    growing, roomy = select(growing, [2, 0]), with_room(select(roomy, [2, 0]), 2)
    for plain, ours in zip(growing.layers, roomy.layers, strict=True):
        new = tuple(tensor[:2] for tensor in states(1, 2))
        assert torch.equal(plain.update(*new)[0], ours.update(*new)[0])


def test_layers_of_other_kinds_stay_as_they_are() -> None:
    class Other(DynamicLayer):
        pass

    cache = copy.copy(filled(2))
    cache.layers = [Other()]
    cache.layers[0].update(*states(2, 0))
    assert with_room(cache, 4).layers[0] is cache.layers[0]
