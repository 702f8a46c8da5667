"""Sheets are blinded, safe to open and read back; the drops they correct are those of surviving labels."""

from __future__ import annotations

import csv
import dataclasses
import io
import zipfile
from pathlib import Path

import openpyxl
import pytest
from click.testing import CliRunner

import robust_eval
from robust_eval import store
from robust_eval.cli.root import robust_eval as command
from robust_eval.errors import DataError, UsageError
from robust_eval.records import CLEAN, Example, RunRecord
from robust_eval.report import render_html, render_markdown
from robust_eval.run import annotate
from robust_eval.score import human_check
from robust_eval.validity.sheet import (
    CHOICES,
    FORMULA,
    ITEM,
    JUDGEMENT,
    SheetItem,
    cell,
    items,
    read_sheets,
    sample,
    write_sheet,
)


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("run")
    words = ["wonderful", "pleasant", "clever", "moving", "honest", "bright"]
    lines = ["id,text,label"]
    for i in range(60):
        text = f"The film number {i} was {words[i % 6]} and {words[(i + 2) % 6]} to watch"
        lines.append(f"r{i},{text},{('positive', 'negative')[i % 2]}")
    (folder / "reviews.csv").write_text("\n".join(lines) + "\n")
    robust_eval.evaluate(
        "scripted:noisy?accuracy=0.9",
        baseline="scripted:constant",
        dataset=str(folder / "reviews.csv"),
        shift=["mixed-noise@3", "word-drops@3"],
        limit=40,
        shots=0,
        out=folder / "run",
        validity="words",
    )
    return folder / "run"


@pytest.fixture
def record(finished: Path) -> RunRecord:
    return store.load(finished)


def rows(path: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(path.read_text("utf-8-sig"))))


def filled(record: RunRecord, path: Path, lost: str = "") -> Path:
    """The sheet as somebody fills it in who calls every example of the set `lost` unclear."""
    of = {item.item: item for item in items(record)}
    done = rows(path)
    for row in done:
        item = of[row[ITEM]]
        row[JUDGEMENT] = "unclear" if item.set_key == lost else str(item.example.target).upper()
    out = path.with_name(f"filled-{path.name}")
    with out.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(done[0]), delimiter=";")
        writer.writeheader()
        writer.writerows(done)
    return out


def test_a_sheet_is_blinded_seeded_and_mixed(record: RunRecord, tmp_path: Path) -> None:
    path = tmp_path / "sheet.csv"
    write_sheet(path, record, sample(record, 30, 5))
    content = path.read_text("utf-8-sig")
    for word in ("noise", "word-drops", "shifted", CLEAN, "r1,", *(s.key for s in record.sets)):
        assert word not in content
    found = rows(path)
    assert len(found) == 36
    assert {row[CHOICES] for row in found} == {"negative | positive | unclear"}
    assert all(row[JUDGEMENT] == "" for row in found)
    chosen = sample(record, 30, 5)
    assert [i.item for i in chosen] == [row[ITEM] for row in found]
    assert chosen == sample(record, 30, 5)
    assert chosen != sample(record, 30, 6)
    keys = [i.set_key for i in chosen]
    assert keys.count(CLEAN) == 6
    assert keys != sorted(keys)
    assert {i.set_key for i in sample(record, 10, 0, ["word-drops@3"])} == {CLEAN, "word-drops@3"}


@pytest.mark.parametrize("start", [*FORMULA, "  =", "=cmd|'/c calc'!A1"])
def test_no_cell_is_a_formula(start: str, record: RunRecord, tmp_path: Path) -> None:
    text = f"{start}HYPERLINK(1)"
    assert cell(text).startswith("'")
    item = SheetItem("x", "s", Example("1", {"text": text}, "positive", "1"))
    write_sheet(tmp_path / "s.xlsx", record, [item])
    page = openpyxl.load_workbook(tmp_path / "s.xlsx").active
    assert page is not None
    assert page["B2"].data_type == "s"
    assert str(page["B2"].value).startswith("'")
    write_sheet(tmp_path / "s.csv", record, [item])
    assert rows(tmp_path / "s.csv")[0]["text"].startswith("'")


@pytest.mark.parametrize("text", ["\x00\x0b\ud800", "a" * 50_000, "\u202e</script>", 'a\nb\r\n,"'])
def test_hostile_texts_make_a_sheet_that_opens(
    text: str, record: RunRecord, tmp_path: Path
) -> None:
    item = SheetItem("x", "s", Example("1", {"text": text}, "positive", "1"))
    for name in ("s.csv", "s.xlsx"):
        write_sheet(tmp_path / name, record, [item])
    assert len(rows(tmp_path / "s.csv")) == 1
    assert openpyxl.load_workbook(tmp_path / "s.xlsx").worksheets[0].max_row == 2


@pytest.mark.parametrize("name", ["sheet.csv", "sheet.xlsx"])
def test_the_command_writes_and_reads_either_kind(
    name: str, finished: Path, tmp_path: Path
) -> None:
    record = store.load(finished)
    path = tmp_path / name
    arguments = ["sheet", str(finished), "--out", str(path), "--size", "40"]
    assert CliRunner().invoke(command, arguments, standalone_mode=False).return_value == 0
    with pytest.raises(UsageError, match="--overwrite"):
        CliRunner().invoke(command, arguments, standalone_mode=False, catch_exceptions=False)
    if name.endswith(".xlsx"):
        book = openpyxl.load_workbook(path)
        page = book.worksheets[0]
        header = [c.value for c in page[1]]
        assert header[:2] == [ITEM, "text"]
        of = {i.item: i for i in items(record)}
        for row in page.iter_rows(min_row=2):
            row[header.index(JUDGEMENT)].value = str(of[str(row[0].value)].example.target)
        book.save(path)
    else:
        path = filled(record, path)
    judged = read_sheets(record, [path])
    assert len(judged.answers) == 48
    done = CliRunner().invoke(
        command,
        ["report", str(finished), "--annotations", str(path)],
        standalone_mode=False,
        catch_exceptions=False,
    )
    assert done.return_value == 0
    again = store.load(finished)
    assert again.human is not None
    assert again.human.survived == 1
    page_text = (finished / "report.html").read_text("utf-8")
    assert 'id="human"' in page_text
    assert "No person has checked" not in page_text


def test_lost_labels_are_taken_out_of_the_drop(finished: Path, tmp_path: Path) -> None:
    record = store.load(finished)
    path = tmp_path / "sheet.csv"
    write_sheet(path, record, sample(record, 500, 0))
    done = annotate(finished, [filled(record, path, lost="mixed-noise@3")])
    assert done.human is not None
    by_set = {(r.model, r.set_key): r for r in done.human.rows}
    model = record.models[0].name
    mixed, drops = by_set[model, "mixed-noise@3"], by_set[model, "word-drops@3"]
    assert mixed.kept.value == 0
    assert mixed.drop_kept is None
    assert drops.kept.value == 1
    assert drops.drop_kept is not None
    assert drops.drop_kept.value == pytest.approx(drops.drop.value)
    together = by_set[model, None]
    assert together.drop_kept is not None
    assert together.drop_kept.value == pytest.approx(drops.drop.value)
    assert done.human.controls_agreed is not None
    assert done.human.controls_agreed.value == 1
    assert "Drop, labels kept" in render_markdown(done)
    assert render_html(done) == render_html(store.load(finished))


def test_two_people_agree_or_not(record: RunRecord, tmp_path: Path) -> None:
    path = tmp_path / "sheet.csv"
    write_sheet(path, record, sample(record, 20, 0))
    one, two = filled(record, path), filled(record, path).rename(tmp_path / "two.csv")
    one = filled(record, path)
    two.write_text(two.read_text().replace("POSITIVE", "unclear"))
    check = human_check(record, read_sheets(record, [one, two]))
    assert check.agreement is not None
    assert 0 < check.agreement < 1
    assert 0.5 < check.survived < 1


def test_wrong_sheets_are_refused_with_file_and_row(record: RunRecord, tmp_path: Path) -> None:
    good = items(record)[0].item

    def refused(content: str, why: str, name: str = "s.csv") -> None:
        (tmp_path / name).write_bytes(content.encode("utf-8", "surrogateescape"))
        with pytest.raises(DataError, match=why):
            read_sheets(record, [tmp_path / name])

    refused("item,judgement\nabc,positive\n", "row 2: item 'abc' is not of this run")
    refused(f"item,judgement\n{good},positiv\n", "did you mean 'positive'")
    refused(f"item,judgement\n{good},positive\n{good},negative\n", "row 3: .* stands there twice")
    refused(f"item,judgement\n{good},\n", "holds no judgement")
    refused("item,judgment\n", "did you mean 'judgment'")
    refused("item,judgement\n\udcff\n", "not UTF-8")
    refused("no zip", "not an XLSX file", "s.xlsx")
    with pytest.raises(DataError, match="no sheet"):
        read_sheets(record, [tmp_path / "absent.csv"])
    (tmp_path / "g.csv").write_text(f"item,judgement\n{good},positive\n")
    with pytest.raises(DataError, match="given twice"):
        read_sheets(record, [tmp_path / "g.csv", tmp_path / "g.csv"])


def test_a_packed_bomb_is_not_unpacked(record: RunRecord, tmp_path: Path) -> None:
    path = tmp_path / "bomb.xlsx"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr("xl/worksheets/sheet1.xml", b"0" * (65 * 2**20))
    with pytest.raises(DataError, match="unpacks to over"):
        read_sheets(record, [path])


def test_sets_that_cannot_be_judged_are_named(record: RunRecord) -> None:
    with pytest.raises(UsageError, match="did you mean 'word-drops@3'"):
        sample(record, 5, 0, ["word-drop@3"])
    other = dataclasses.replace(
        record, sets=tuple(dataclasses.replace(s, paired=False) for s in record.sets)
    )
    with pytest.raises(UsageError, match="no paired set"):
        sample(other, 5, 0)
