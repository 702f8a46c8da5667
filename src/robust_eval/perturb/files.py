"""Data files perturbed row by row: bounded memory, the same bytes for any number of processes."""

from __future__ import annotations

import csv
import gzip
import io
import json
import os
import threading
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from itertools import islice
from multiprocessing import get_context, parent_process
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, NamedTuple, cast

from robust_eval.data import read_rows
from robust_eval.errors import DataError, InfrastructureError, RecipeError, UsageError, did_you_mean
from robust_eval.files import atomic_write
from robust_eval.perturb.apply import dose, literal, perturb_example
from robust_eval.perturb.plan import NoisePlan
from robust_eval.records import Example, Progress, silent
from robust_eval.rng import digest

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

ID = "id"
ADDED = ("shift", "shift_name", "shift_severity", "shift_edit_rate", "shift_words_added")
BATCH_ROWS = 256
BATCH_CHARACTERS = 1_000_000  # a batch ends early when its texts are long
MAX_PROCESSES = 256
TABLES = {".csv": ",", ".tsv": "\t"}
LINES = (".jsonl", ".ndjson", ".json")
# What separates rows and cells in a TSV file, which knows no quoting.
TSV_BREAKS = str.maketrans("\t\r\n", "   ")


@dataclass(frozen=True, slots=True)
class FileSummary:
    """What `perturb` did: rows read, rows written, and each set's mean realised dose."""

    source: str
    target: str
    rows: int
    written: int
    doses: Mapping[str, float] = field(default_factory=dict)  # set key -> mean edit rate

    def __str__(self) -> str:
        doses = ", ".join(f"{key} {rate:.1%}" for key, rate in self.doses.items())
        return (
            f"{self.rows:,} rows x {len(self.doses)} sets -> {self.written:,} rows in {self.target}; "
            f"mean share of characters edited: {doses}"
        )


class Work(NamedTuple):
    """What every batch needs besides its rows; sent to a worker once."""

    plans: tuple[NoisePlan, ...]
    fields: tuple[str, ...]
    kind: str  # suffix of the target, .gz aside
    columns: tuple[str, ...]  # of a table's rows, in order


class Batch(NamedTuple):
    ids: list[str]
    rows: list[Mapping[str, Any]]


def write_perturbed(
    source: Path,
    target: Path,
    plans: Sequence[NoisePlan],
    *,
    fields: Sequence[str],
    seed: int,
    processes: int = 1,
    encoding: str = "utf-8",
    progress: Progress = silent,
) -> FileSummary:
    """Every row of `source`, in order, once per plan: its columns, the shift and the realised dose.

    Columns are kept as they are; `fields` are perturbed; `shift` (the set's key), `shift_name`,
    `shift_severity`, `shift_edit_rate` and `shift_words_added` are added, and `id` where a row has none: a hash of
    its content and, for a repeated row, its ordinal, so that the order of rows does not matter.
    JSON lines, CSV and TSV, each also with `.gz`; the target is of the source's kind or JSON lines. A TSV file cannot
    hold tabs and line breaks, so those that a perturbation adds become spaces there. `encoding` is the source's; UTF-8 is written.
    The target appears whole or not at all. Memory is bounded: a few batches and 8 bytes a row.

    `seed` names the run; every plan already carries its own.
    Raises DataError with the line number for a row that cannot be read.
    """
    if not plans:
        raise RecipeError("no shift given; try --shift keyboard-typos@3")
    if not fields:
        raise UsageError("no field to perturb; give --field")
    if not 1 <= processes <= MAX_PROCESSES:
        raise UsageError(f"processes must be from 1 to {MAX_PROCESSES}, not {processes}")
    if target.is_dir() or not target.parent.is_dir():
        raise UsageError(f"'{target}' is no place for a file; name one in a folder that exists")
    if target.exists() and source.exists() and target.samefile(source):
        raise UsageError(f"{target} is the input itself; give another output")
    kind = _kind(source, target)
    rows = _checked_rows(source, tuple(fields), encoding)
    first = next(rows, None)
    if first is None:
        raise DataError(f"{source} holds no rows")
    work = Work(tuple(plans), tuple(fields), kind, _columns(first))
    sums = [0.0] * len(plans)
    count = 0
    with (
        atomic_write(target) as raw,
        _opened(raw, target) as out,
        progress("perturbing", _lines(source)) as advance,
    ):
        out.write(_header(work))
        for written, edit_rates, done in _answers(work, _batches(first, rows), processes):
            out.write(written)
            count += done
            for k, rate in enumerate(edit_rates):
                sums[k] += rate
            advance(done)
    doses = {plan.key: total / count for plan, total in zip(plans, sums, strict=True)}
    return FileSummary(str(source), str(target), count, count * len(plans), doses)


# --- reading -------------------------------------------------------------------------------------


def _kind(source: Path, target: Path) -> str:
    """The target's format: the source's own, or JSON lines."""
    came, goes = (Path(path.name.lower().removesuffix(".gz")).suffix for path in (source, target))
    if goes not in LINES and goes != came:
        ends = f"{came} or .jsonl" if came in TABLES else ".jsonl"
        raise UsageError(f"cannot write {target.name} from {source.name}; end the output in {ends}")
    if goes == ".parquet":
        raise UsageError(f"cannot write {target.name}: rows are streamed; end the output in .jsonl")
    return goes


def _checked_rows(
    source: Path, fields: tuple[str, ...], encoding: str
) -> Iterator[Mapping[str, Any]]:
    for place, values in read_rows(source, encoding=encoding):
        for name in fields:
            if name not in values:
                raise DataError(
                    f"{source}, {place}: no column {name!r}{did_you_mean(name, map(str, values))}"
                )
            if not isinstance(values[name], str):
                raise DataError(
                    f"{source}, {place}: column {name!r} holds {values[name]!r:.80}, not text"
                )
        for name in ADDED:
            if name in values:
                raise DataError(
                    f"{source}, {place}: column {name!r} is one that perturb adds; rename it"
                )
        yield values


def _batches(first: Mapping[str, Any], rest: Iterator[Mapping[str, Any]]) -> Iterator[Batch]:
    """Rows with their ids. Batches depend on the rows alone, never on the number of processes."""
    repeats = Repeats()
    batch = Batch([], [])
    size = 0
    for row in _chained(first, rest):
        batch.ids.append(row_name(row, repeats))
        batch.rows.append(row)
        size += sum(len(value) for value in row.values() if isinstance(value, str))
        if len(batch.rows) == BATCH_ROWS or size > BATCH_CHARACTERS:
            yield batch
            batch, size = Batch([], []), 0
    if batch.rows:
        yield batch


def _chained(first: Any, rest: Iterator[Any]) -> Iterator[Any]:
    yield first
    yield from rest


def row_name(row: Mapping[str, Any], repeats: Repeats) -> str:
    """Its own id, or a hash of its content and, for a repeated row, the ordinal."""
    given = row.get(ID)
    if given is not None and given != "":
        return str(given)
    content = json.dumps(row, sort_keys=True, default=str)
    name = digest("row", content, size=8)
    ordinal = repeats.before(int.from_bytes(name, "big"))
    return name.hex() + (f"-{ordinal}" if ordinal else "")


class Repeats:
    """How often each 64-bit digest came before, in 8 bytes for each that came once.

    A dictionary of a hundred million rows would not fit in memory. Digests wait in a set until there are enough
    to merge into one sorted array.
    """

    RECENT = 65_536

    def __init__(self) -> None:
        self._once: NDArray[np.uint64] | None = None
        self._recent: set[int] = set()
        self._counts: dict[int, int] = {}  # of those that came more than once

    def before(self, name: int) -> int:
        """How often this digest was asked for before now."""
        if (count := self._counts.get(name, 0)) or self._known(name):
            self._counts[name] = (count or 1) + 1
            return count or 1
        self._recent.add(name)
        if len(self._recent) >= self.RECENT:
            self._merge()
        return 0

    def _known(self, name: int) -> bool:
        if name in self._recent:
            return True
        if self._once is None:
            return False
        import numpy as np

        wanted = np.uint64(name)
        place = int(self._once.searchsorted(wanted))
        return place < len(self._once) and bool(self._once[place] == wanted)

    def _merge(self) -> None:
        import numpy as np

        fresh = np.fromiter(self._recent, dtype=np.uint64, count=len(self._recent))
        merged = fresh if self._once is None else np.concatenate([self._once, fresh])
        merged.sort(kind="stable")
        self._once = merged
        self._recent.clear()


def _lines(source: Path) -> int:
    """Roughly how many rows there are, for the progress bar: line ends, counted in blocks."""
    opened = gzip.open if source.name.lower().endswith(".gz") else open
    try:
        with opened(source, "rb") as file:
            blocks = iter(partial(cast(IO[bytes], file).read, 1 << 20), b"")
            return sum(block.count(b"\n") for block in blocks)
    except (OSError, EOFError):
        return 0  # the reader says what is wrong, with the line


# --- perturbing ----------------------------------------------------------------------------------

Answer = tuple[bytes, list[float], int]  # bytes to write, each plan's sum of edit rates, rows


def _answers(work: Work, batches: Iterator[Batch], processes: int) -> Iterator[Answer]:
    """Every batch's answer, in order; a few batches are on their way at a time."""
    if processes == 1:
        for batch in batches:
            yield perturb_batch(work, batch)
        return
    # `spawn`: a forked copy of a program with threads may hang.
    pool = ProcessPoolExecutor(processes, get_context("spawn"), _start_worker, (work,))
    waiting: deque[Future[Answer]] = deque()
    try:
        for batch in islice(batches, 2 * processes):
            waiting.append(pool.submit(_in_worker, batch))
        while waiting:
            yield waiting.popleft().result()
            for batch in islice(batches, 1):
                waiting.append(pool.submit(_in_worker, batch))
    except BrokenProcessPool as error:
        raise InfrastructureError(
            "a worker process died, most likely for want of memory; try fewer --processes"
        ) from error
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


_worker: list[Work] = []  # set once in each worker process, never in this one


def _start_worker(work: Work) -> None:
    _worker[:] = [work]
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    """A worker whose parent was killed would wait for its next batch for ever."""
    if (parent := parent_process()) is not None:
        parent.join()
        os._exit(1)


def _in_worker(batch: Batch) -> Answer:
    return perturb_batch(_worker[0], batch)


def perturb_batch(work: Work, batch: Batch) -> Answer:
    """The batch's rows once per plan, row by row, as the bytes to write."""
    sums = [0.0] * len(work.plans)
    guards = [tuple(literal(words) for words in plan.protect) for plan in work.plans]
    buffer = io.StringIO(newline="")
    write = _writer(work, buffer)
    for row_id, row in zip(batch.ids, batch.rows, strict=True):
        texts = {name: row[name] for name in work.fields}
        example = Example(row_id, texts, "", row_id)
        for k, plan in enumerate(work.plans):
            shifted, realised = perturb_example(
                plan.chain, example, seed=plan.seed, fields=work.fields, protect=guards[k]
            )
            inputs = shifted.inputs
            if work.kind == ".tsv":
                inputs = {name: text.translate(TSV_BREAKS) for name, text in inputs.items()}
                realised = dose([(texts[name], inputs[name]) for name in work.fields])
            sums[k] += realised.edit_rate
            written = {**row, **inputs}
            if row.get(ID) in (None, ""):
                written[ID] = row_id
            written["shift"] = plan.key
            written["shift_name"] = plan.shift
            written["shift_severity"] = plan.severity
            written["shift_edit_rate"] = round(realised.edit_rate, 6)
            written["shift_words_added"] = realised.words_added
            write(written)
    return encode(buffer.getvalue()), sums, len(batch.rows)


# --- writing -------------------------------------------------------------------------------------


def _columns(row: Mapping[str, Any]) -> tuple[str, ...]:
    own = [str(name) for name in row]
    return (*own, *([] if ID in own else [ID]), *ADDED)


def _header(work: Work) -> bytes:
    if work.kind not in TABLES:
        return b""
    buffer = io.StringIO(newline="")
    _table(work, buffer).writerow(work.columns)
    return encode(buffer.getvalue())


def _writer(work: Work, buffer: io.StringIO) -> Callable[[Mapping[str, Any]], None]:
    if work.kind in TABLES:
        table = _table(work, buffer)
        return lambda row: table.writerow([row.get(name) for name in work.columns])
    return lambda row: _write_line(buffer, row)


def _write_line(buffer: io.StringIO, row: Mapping[str, Any]) -> None:
    line = json.dumps(row, ensure_ascii=False, default=str)
    try:
        line.encode()
    except UnicodeEncodeError:  # a lone surrogate, which JSON can only escape
        line = json.dumps(row, default=str)
    buffer.write(line)
    buffer.write("\n")


def _table(work: Work, buffer: io.StringIO) -> Any:
    if work.kind == ".tsv":
        return csv.writer(
            buffer, delimiter="\t", quoting=csv.QUOTE_NONE, quotechar=None, lineterminator="\n"
        )
    return csv.writer(buffer, lineterminator="\n")


def encode(text: str) -> bytes:
    """UTF-8; a lone surrogate, which no UTF-8 file can hold, becomes a question mark."""
    return text.encode("utf-8", "replace")


@contextmanager
def _opened(raw: IO[bytes], target: Path) -> Iterator[IO[bytes]]:
    """The file, or a gzip stream into it whose bytes hold no name and no time."""
    if not target.name.lower().endswith(".gz"):
        yield raw
        return
    with gzip.GzipFile("", "wb", compresslevel=6, fileobj=raw, mtime=0) as packed:
        yield cast(IO[bytes], packed)
