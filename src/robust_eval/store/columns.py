"""Columns of a Parquet table as Python values, without an object for each cell where cells repeat."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pyarrow as pa

REQUIRED = object()


def column(table: pa.Table, name: str, *, default: Any = REQUIRED) -> Sequence[Any]:
    """The column's values in order: equal texts are one object, lists of numbers are tuples, nothing is None.

    Raises KeyError where the table lacks the column, unless a default stands in for it.
    """
    import pyarrow as pa

    if default is not REQUIRED and name not in table.column_names:
        return [default] * table.num_rows
    cells = table[name].combine_chunks()
    if pa.types.is_string(cells.type):
        return _texts(cells)
    if pa.types.is_list(cells.type):
        return _tuples(cells, name)
    return _plain(cells)


def _texts(cells: pa.Array) -> list[Any]:
    import numpy as np

    coded = cells.dictionary_encode()
    words = np.array([*coded.dictionary.to_pylist(), None], dtype=object)
    found: list[Any] = words[coded.indices.fill_null(len(words) - 1).to_numpy()].tolist()
    return found


def _tuples(cells: pa.ListArray, name: str) -> list[Any]:
    numbers = cells.flatten()
    if numbers.null_count:
        raise ValueError(f"a list in {name} holds a number that is missing")
    flat = _plain(numbers)
    lengths = cells.value_lengths().to_pylist()
    ends = accumulate(length or 0 for length in lengths)
    return [
        None if length is None else tuple(flat[end - length : end])
        for length, end in zip(lengths, ends, strict=True)
    ]


def _plain(cells: pa.Array) -> list[Any]:
    found: list[Any]
    found = cells.to_pylist() if cells.null_count else cells.to_numpy(zero_copy_only=False).tolist()
    return found
