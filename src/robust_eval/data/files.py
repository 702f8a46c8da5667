"""Rows of CSV, TSV, JSON lines and Parquet files, streamed, with the line of whatever is wrong.

The standard `csv` module is used rather than pandas, whose guesses turn the label 1 into "1.0" as soon as one
row has none, and the text "NA" into a missing one.
"""

from __future__ import annotations

import codecs
import csv
import gzip
import hashlib
import json
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any, cast

from robust_eval.data.source import MAX_FILE, MAX_LINE, MAX_TEXT, Row, Source
from robust_eval.errors import DataError, did_you_mean

SUFFIXES = (".csv", ".tsv", ".jsonl", ".ndjson", ".json", ".parquet")


def file_source(path: Path, *, encoding: str = "utf-8") -> Source:
    """A data file as a source; its kind is told by its name, each text kind also with `.gz`."""
    kind = file_kind(path)
    if kind == ".parquet":
        from robust_eval.data.parquet import label_names

        names = label_names(path)
    else:
        names = {}
    return Source(
        name=path.name.removesuffix(".gz").removesuffix(kind),
        spec=str(path),
        revision=lambda: f"sha256:{_sha256(path)}",
        rows=lambda: read_rows(path, encoding=encoding),
        label_names=names,
    )


def file_kind(path: Path) -> str:
    """The suffix that says how to read a file, `.gz` aside."""
    name = path.name.lower()
    kind = Path(name.removesuffix(".gz")).suffix
    if kind not in SUFFIXES:
        raise DataError(
            f"cannot tell what kind of file '{path}' is; name it {', '.join(SUFFIXES)}"
            f" (text files also with .gz){did_you_mean(kind, SUFFIXES) if kind else ''}"
        )
    if kind == ".parquet" and name.endswith(".gz"):
        raise DataError(f"'{path}': Parquet is compressed inside; unpack the .gz first")
    return kind


def read_rows(path: Path, *, encoding: str = "utf-8") -> Iterator[Row]:
    """The rows of one file, in order, read as they are asked for.

    Raises: DataError, with the line, for whatever is not a well-formed file of its kind.
    """
    kind = file_kind(path)
    if not path.exists():
        raise DataError(f"there is no file '{path}'")
    if not path.is_file():
        raise DataError(f"'{path}' is not a regular file")
    if kind == ".parquet":
        from robust_eval.data.parquet import parquet_rows

        return parquet_rows(path)
    readers: dict[str, Callable[[Path, str], Iterator[Row]]] = {
        ".csv": _csv_rows,
        ".tsv": _tsv_rows,
    }
    return readers.get(kind, _json_rows)(path, encoding)


# --- text ----------------------------------------------------------------------------------------


def _lines(path: Path, encoding: str, newline: str | None) -> Iterator[str]:
    """Lines with their ends, capped in length and number; decoding faults become one clear line."""
    # utf-8-sig is utf-8 that drops the byte order mark spreadsheets put before the first column
    wanted = "utf-8-sig" if encoding.lower().replace("_", "-") in ("utf-8", "utf8") else encoding
    total = 0
    number = 0
    try:
        with _open_text(path, wanted, newline) as handle:
            while line := handle.readline(MAX_LINE + 1):
                number += 1
                total += len(line)
                if len(line) > MAX_LINE:
                    raise DataError(f"{path}, line {number}: longer than {MAX_LINE:,} characters")
                if total > MAX_FILE:
                    raise DataError(f"{path}: more than {MAX_FILE:,} characters; split the file")
                yield line
    except UnicodeDecodeError as error:
        raise DataError(_undecodable(path, wanted, encoding)) from error
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise DataError(
            f"{path}: damaged or cut-off gzip file after line {number} ({error}); fetch it again"
        ) from error
    except OSError as error:
        raise DataError(f"cannot read '{path}': {error.strerror or error}") from error


def _open_text(path: Path, encoding: str, newline: str | None) -> IO[str]:
    try:
        codecs.lookup(encoding)
    except LookupError:
        raise DataError(
            f"unknown encoding '{encoding}'; known are utf-8, utf-16, latin-1, cp1252 and the others"
            " that Python has"
        ) from None
    if path.name.lower().endswith(".gz"):
        return gzip.open(path, "rt", encoding=encoding, newline=newline)
    return path.open(encoding=encoding, newline=newline)


def _open_bytes(path: Path) -> IO[bytes]:
    if path.name.lower().endswith(".gz"):
        return cast(IO[bytes], gzip.open(path, "rb"))
    return path.open("rb")


def _undecodable(path: Path, codec: str, asked: str) -> str:
    """Where the first bad byte is, found by a second pass that only a broken file pays for."""
    decoder = codecs.getincrementaldecoder(codec)()
    offset, line = 0, 1
    with _open_bytes(path) as handle:
        while True:
            chunk = handle.read(1 << 16)
            pending = decoder.getstate()[0]
            try:
                decoder.decode(chunk, final=not chunk)
            except UnicodeDecodeError as error:
                seen = pending + chunk
                bad = seen[error.start : error.start + 1].hex()
                at = offset - len(pending) + error.start
                line += seen[: error.start].count(b"\n") - pending.count(b"\n")
                hint = (
                    "it begins as UTF-16 does: try --encoding utf-16"
                    if at == 0 and seen[:2] in (b"\xff\xfe", b"\xfe\xff")
                    else "save it as UTF-8, or give its encoding with --encoding, such as latin-1"
                )
                return f"{path}, line {line}: byte 0x{bad} at offset {at:,} is not {asked}; {hint}"
            if not chunk:
                return f"{path}: not {asked}; give its encoding with --encoding"
            offset += len(chunk)
            line += chunk.count(b"\n")


# --- CSV and TSV ---------------------------------------------------------------------------------


def _csv_rows(path: Path, encoding: str) -> Iterator[Row]:
    return _table(path, encoding, csv.reader(_no_nul(path, encoding, ""), strict=True), ",")


def _tsv_rows(path: Path, encoding: str) -> Iterator[Row]:
    # text/tab-separated-values (IANA) knows no quoting: a quotation mark is part of the text, as in GLUE's files
    lines = _no_nul(path, encoding, "")
    return _table(path, encoding, csv.reader(lines, delimiter="\t", quoting=csv.QUOTE_NONE), "tab")


def _no_nul(path: Path, encoding: str, newline: str | None) -> Iterator[str]:
    for number, line in enumerate(_lines(path, encoding, newline), 1):
        if "\0" in line:
            raise DataError(
                f"{path}, line {number}: NUL byte; this is not text in {encoding}"
                " (--encoding utf-16?), or the file is damaged"
            )
        yield line


def _table(path: Path, encoding: str, reader: Any, separator: str) -> Iterator[Row]:
    # The limit is the process's own, 131,072 characters unless raised; it is never lowered here.
    csv.field_size_limit(max(csv.field_size_limit(), MAX_TEXT + 1))
    header: list[str] | None = None
    before = 0
    while True:
        try:
            cells = next(reader, None)
        except csv.Error as error:
            raise DataError(
                f'{path}, line {before + 1}: {error}; quote fields with " and double the quotes inside'
            ) from error
        if cells is None:
            break
        place, before = f"line {before + 1}", reader.line_num
        if not cells:
            continue  # an empty line
        if header is None:
            header = _header(path, cells, separator)
        elif len(cells) != len(header):
            raise DataError(
                f"{path}, {place}: {len(cells)} fields, but the header has {len(header)};"
                f" quote a field that holds the separator ({separator})"
            )
        else:
            yield Row(place, dict(zip(header, cells, strict=True)))


def _header(path: Path, cells: list[str], separator: str) -> list[str]:
    names = [cell.strip() for cell in cells]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise DataError(f"{path}: column '{twice[0]}' appears twice in the header; rename one")
    for other, word in ((";", "semicolons"), ("\t", "tabs"), (",", "commas")):
        if len(names) == 1 and other in names[0]:
            raise DataError(
                f"{path}: columns are separated by {word}, not by {separator}; convert it"
            )
    return names


# --- JSON lines ----------------------------------------------------------------------------------


def _json_rows(path: Path, encoding: str) -> Iterator[Row]:
    for number, line in enumerate(_lines(path, encoding, None), 1):
        if not line.strip():
            continue
        try:
            values = json.loads(line)
        except (ValueError, RecursionError) as error:
            reason = "nested too deeply" if isinstance(error, RecursionError) else error
            raise DataError(
                f"{path}, line {number}: not JSON ({reason}); one object a line is wanted"
            ) from error
        if not isinstance(values, dict):
            kind = "a list" if isinstance(values, list) else f"a {type(values).__name__}"
            raise DataError(
                f"{path}, line {number}: {kind}, not an object; write one object a line (JSON lines)"
            )
        yield Row(f"line {number}", values)


def _sha256(path: Path) -> str:
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()
