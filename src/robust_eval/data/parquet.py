"""Rows of a Parquet file, through pyarrow, batch by batch."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from robust_eval.data.source import MAX_FILE, Row
from robust_eval.errors import DataError

BATCH = 1_000  # rows decoded at once


def parquet_rows(path: Path) -> Iterator[Row]:
    import pyarrow as pa

    file = _open(path)
    size = sum(file.metadata.row_group(i).total_byte_size for i in range(file.num_row_groups))
    if size > MAX_FILE:
        raise DataError(f"{path}: {size:,} bytes unpacked, more than {MAX_FILE:,}; split the file")
    number = 0
    try:
        for batch in file.iter_batches(batch_size=BATCH):
            for values in batch.to_pylist():
                number += 1
                yield Row(f"row {number}", values)
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path}: damaged Parquet file after row {number} ({error})") from error


def label_names(path: Path) -> dict[str, tuple[str, ...]]:
    """Class names by column, where the `datasets` library left them in the file's metadata."""
    metadata = _open(path).schema_arrow.metadata or {}
    try:
        features = json.loads(metadata.get(b"huggingface", b"{}"))["info"]["features"]
    except (ValueError, KeyError, TypeError):
        return {}
    found = {}
    for column, feature in features.items() if isinstance(features, dict) else ():
        names = feature.get("names") if isinstance(feature, dict) else None
        if isinstance(names, list) and all(isinstance(name, str) for name in names):
            found[column] = tuple(names)
    return found


def _open(path: Path) -> Any:
    import pyarrow as pa
    from pyarrow import parquet

    try:
        return parquet.ParquetFile(path)
    except (pa.ArrowException, OSError) as error:
        raise DataError(f"{path}: not a readable Parquet file ({error})") from error
