"""Blinded sheets for people: which label has this text? Written as CSV or XLSX, and read back."""

from __future__ import annotations

import csv
import io
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from robust_eval.errors import DataError, UsageError, did_you_mean
from robust_eval.files import explained, write_atomic
from robust_eval.records import CLEAN, Example, RunRecord, ShiftedSet
from robust_eval.rng import digest, hexdigest

ITEM, CHOICES, JUDGEMENT, COMMENT = "item", "choices", "judgement", "comment"
UNCLEAR: Final = "unclear"  # the text has no label any more
CONTROLS: Final = 0.2  # clean texts for each shifted one: they show how far judges and labels agree
LONGEST_CELL: Final = 32_000  # characters; a cell of XLSX holds 32,767
LARGEST: Final = 64 * 2**20  # bytes of a sheet read back, and of an XLSX file's parts unpacked
MOST_ROWS: Final = 100_000
FORMULA: Final = ("=", "+", "-", "@", "\t", "\r", "\n", "|", "%")
# What XML forbids, and lone surrogates: in XLSX they would make a file that does not open.
UNSAFE: Final = {
    **dict.fromkeys((*range(9), 11, 12, *range(14, 32), 65534, 65535), "�"),
    **dict.fromkeys(range(55296, 57344), "�"),
}


@dataclass(frozen=True, slots=True)
class SheetItem:
    item: str  # says nothing of the set or the example
    set_key: str  # CLEAN: a control
    example: Example


@dataclass(frozen=True, slots=True)
class Judgements:
    """What people said: for every judged item the answers given to it, in the order of the sheets."""

    answers: Mapping[tuple[str, str], tuple[str, ...]]  # (set key, example id)
    blank: int  # rows without a judgement
    sheets: tuple[str, ...]  # content hashes


def judgeable(record: RunRecord) -> list[ShiftedSet]:
    """The sets whose labels were meant to stay: paired, not prompt-side, targets as they were."""
    targets = {e.id: e.target for e in record.dataset.examples}
    return [
        s
        for s in record.sets
        if s.paired
        and s.prompt_edit is None
        and all(targets.get(e.id) == e.target for e in s.examples)
    ]


def changed(record: RunRecord, s: ShiftedSet) -> list[Example]:
    """The examples whose texts differ from the clean ones: the others need no judge."""
    clean = {e.id: e.inputs for e in record.dataset.examples}
    return [e for e in s.examples if e.inputs != clean[e.id]]


def items(record: RunRecord, keys: Sequence[str] = ()) -> list[SheetItem]:
    """Everything that a sheet of this run may hold, shifted and clean. Raises UsageError for an unknown set."""
    sets = judgeable(record)
    for key in keys:
        if key not in {s.key for s in sets}:
            near = did_you_mean(key, [s.key for s in sets])
            raise UsageError(f"no set {key!r} whose labels were meant to stay{near}")
    chosen = [s for s in sets if not keys or s.key in keys]
    if not chosen:
        raise UsageError("this run has no paired set whose labels were meant to stay")
    return [
        *(SheetItem(_name(record, s.key, e), s.key, e) for s in chosen for e in changed(record, s)),
        *(SheetItem(_name(record, CLEAN, e), CLEAN, e) for e in record.dataset.examples),
    ]


def _name(record: RunRecord, key: str, example: Example) -> str:
    return hexdigest("sheet", record.dataset.fingerprint, key, example.id, size=8)


def sample(record: RunRecord, size: int, seed: int, keys: Sequence[str] = ()) -> list[SheetItem]:
    """`size` changed examples drawn at random over the sets and a fifth as many clean ones, mixed."""
    if size < 1:
        raise UsageError(f"--size must be at least 1, not {size}")

    def order(item: SheetItem) -> bytes:
        return digest(seed, "sheet", item.item)

    everything = items(record, keys)
    shifted = sorted((i for i in everything if i.set_key != CLEAN), key=order)[:size]
    if not shifted:
        raise UsageError("no shifted example differs from its clean one: there is nothing to judge")
    controls = sorted((i for i in everything if i.set_key == CLEAN), key=order)
    return sorted([*shifted, *controls[: max(1, round(CONTROLS * len(shifted)))]], key=order)


# --- writing -------------------------------------------------------------------------------------


def write_sheet(path: Path, record: RunRecord, chosen: Sequence[SheetItem]) -> None:
    """The sheet as .csv or .xlsx: item, texts, choices, and empty cells for judgement and comment.

    Neither set nor label is in it. A cell that a spreadsheet would take for a formula begins with an apostrophe.
    """
    fields = record.dataset.task.fields
    labels = record.dataset.labels
    choices = " | ".join((*labels, UNCLEAR)) if labels else f"the answer, or {UNCLEAR}"
    header = [ITEM, *fields, CHOICES, JUDGEMENT, COMMENT]
    rows = [
        [i.item, *(cell(i.example.inputs[f]) for f in fields), cell(choices), "", ""]
        for i in chosen
    ]
    kind = path.suffix.lower()
    if kind == ".csv":
        text = io.StringIO(newline="")
        csv.writer(text).writerows([header, *rows])
        write_atomic(path, text.getvalue().encode("utf-8-sig"))
    elif kind == ".xlsx":
        write_atomic(path, _workbook(header, rows))
    else:
        raise UsageError(f"cannot write {path.name!r}: end --out in .csv or .xlsx")


def cell(text: str) -> str:
    """A text that no spreadsheet runs, refuses or cuts without saying so."""
    safe = text.translate(UNSAFE)
    if len(safe) > LONGEST_CELL:
        safe = f"{safe[:LONGEST_CELL]} […cut]"
    return f"'{safe}" if safe.lstrip(" ").startswith(FORMULA) else safe


def _workbook(header: Sequence[str], rows: Sequence[Sequence[str]]) -> bytes:
    openpyxl = _openpyxl()
    book = openpyxl.Workbook(write_only=True)
    page = book.create_sheet("judge")
    page.freeze_panes = "A2"
    for column, name in zip("ABCDEFGH", header, strict=False):
        page.column_dimensions[column].width = 18 if name in (ITEM, JUDGEMENT, COMMENT) else 60
    for row in (header, *rows):
        cells = []
        for text in row:
            made = openpyxl.cell.WriteOnlyCell(page, value=text or None)
            made.data_type = "s" if text else "n"  # never "f", whatever it begins with
            made.alignment = openpyxl.styles.Alignment(wrap_text=True, vertical="top")
            cells.append(made)
        page.append(cells)
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def _openpyxl() -> Any:
    try:
        import openpyxl
        import openpyxl.cell
        import openpyxl.styles
    except ModuleNotFoundError as error:
        raise UsageError(
            "XLSX needs openpyxl; pip install 'robust-eval[sheet]', or use .csv"
        ) from error
    return openpyxl


# --- reading -------------------------------------------------------------------------------------


def read_sheets(record: RunRecord, paths: Sequence[Path]) -> Judgements:
    """The judgements of one or several people, each in a sheet of this run.

    Only the columns item and judgement are read. Raises DataError, with file and row, for an item of another run, a
    judgement that is no choice, an item twice in one sheet, or sheets without any judgement.
    """
    known = {item.item: (item.set_key, item.example.id) for item in items(record)}
    answers: dict[tuple[str, str], list[str]] = {}
    hashes = []
    blank = 0
    for path in paths:
        content = _content(path)
        if (name := hexdigest("annotations", content.hex())) in hashes:
            raise DataError(f"{path} is given twice")
        hashes.append(name)
        seen: set[str] = set()
        for number, row in enumerate(_rows(path, content), start=2):
            item, said = row[ITEM].strip(), row[JUDGEMENT].strip()
            if not item and not said:
                continue
            if item not in known:
                raise DataError(f"{path}, row {number}: item {item[:40]!r} is not of this run")
            if item in seen:
                raise DataError(f"{path}, row {number}: item {item!r} stands there twice")
            seen.add(item)
            if not said:
                blank += 1
                continue
            answers.setdefault(known[item], []).append(_choice(record, path, number, said))
    if not answers:
        raise DataError(f"{paths[0]} holds no judgement; fill in the column {JUDGEMENT!r}")
    return Judgements({k: tuple(v) for k, v in answers.items()}, blank, tuple(hashes))


def _choice(record: RunRecord, path: Path, number: int, said: str) -> str:
    """The label that was meant, whatever its case; any text where there are no labels."""
    if not record.dataset.labels:
        return said.removeprefix("'")
    choices = {label.casefold(): label for label in (*record.dataset.labels, UNCLEAR)}
    found = choices.get(said.removeprefix("'").casefold())
    if found is None:
        near = did_you_mean(said[:60], choices.values())
        raise DataError(f"{path}, row {number}: judgement {said[:60]!r} is no choice{near}")
    return found


def _content(path: Path) -> bytes:
    if not path.is_file():
        raise DataError(f"no sheet {str(path)!r}; give the file that was filled in")
    with explained(path):
        if path.stat().st_size > LARGEST:
            raise DataError(f"{path} is over {LARGEST >> 20} MiB; not a sheet of ours")
        return path.read_bytes()


def _rows(path: Path, content: bytes) -> Iterator[dict[str, str]]:
    """Item and judgement of every row below the header."""
    lines = (
        _xlsx_lines(path, content) if path.suffix.lower() == ".xlsx" else _csv_lines(path, content)
    )
    header = [name.strip().lower() for name in next(lines, [])]
    for wanted in (ITEM, JUDGEMENT):
        if wanted not in header:
            raise DataError(
                f"{path} has no column {wanted!r}{did_you_mean(wanted, filter(None, header))}"
            )
    places = {name: header.index(name) for name in (ITEM, JUDGEMENT)}
    for number, line in enumerate(lines):
        if number >= MOST_ROWS:
            raise DataError(f"{path} has more than {MOST_ROWS:,} rows; not a sheet of ours")
        yield {name: line[at] if at < len(line) else "" for name, at in places.items()}


def _csv_lines(path: Path, content: bytes) -> Iterator[list[str]]:
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError(
            f"{path} is not UTF-8 (byte {error.start}); save it as CSV UTF-8"
        ) from error
    first = text.partition("\n")[0]
    # Spreadsheets of some languages save CSV with semicolons or tabs.
    separator = max(",;\t", key=first.count)
    try:
        yield from csv.reader(io.StringIO(text, newline=""), delimiter=separator)
    except csv.Error as error:
        raise DataError(f"{path} is not a CSV file: {error}") from error


def _xlsx_lines(path: Path, content: bytes) -> Iterator[list[str]]:
    openpyxl = _openpyxl()
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as packed:
            if sum(part.file_size for part in packed.infolist()) > LARGEST:
                raise DataError(f"{path} unpacks to over {LARGEST >> 20} MiB; not a sheet of ours")
        book = openpyxl.load_workbook(io.BytesIO(content), read_only=True, data_only=True)
        page = book.worksheets[0]
        page.reset_dimensions()  # never trust the size that a file claims
        for row in page.iter_rows(values_only=True, max_col=64):
            yield ["" if value is None else str(value) for value in row]
    except DataError:
        raise
    except Exception as error:  # a damaged file meets many parsers, each with errors of its own
        raise DataError(f"{path} is not an XLSX file that can be read: {error!s:.120}") from error
