"""Shifted sets from a clean one, and data files perturbed without a model."""

from __future__ import annotations

import csv
import gzip
import json
from pathlib import Path

import pytest

from robust_eval.build import build_sets, perturb_file, perturb_texts
from robust_eval.errors import DataError, RecipeError, UsageError
from robust_eval.perturb.files import Repeats, write_perturbed
from robust_eval.recipes import NoisePlan, parse_shifts
from robust_eval.records import TASKS, Dataset, Example, ShiftedSet, TaskKind

SENTENCES = (
    "The quiet harbour wakes slowly while gulls argue over bread.",
    "Nobody at the station knew why the clock had stopped, not even the guard.",
    "She didn't like the ending, but the music was wonderful!",
    "Ten lanterns hung between the trees and none of them was lit.",
)


def clean_set(kind: TaskKind = TaskKind.CLASSIFICATION, name: str = "own") -> Dataset:
    examples = tuple(
        Example(f"e{i}", {"text": text}, "yes" if i % 2 else "no", f"e{i}")
        for i, text in enumerate(SENTENCES)
    )
    return Dataset(name, TASKS[kind], ("no", "yes"), examples, "1", "f")


def built(dataset: Dataset, *shifts: str, ood: dict[str, str] | None = None):  # type: ignore[no-untyped-def]
    return build_sets(dataset, parse_shifts(shifts, seed=0), ood=ood or {}, limit=10, seed=0)


def jsonl(path: Path, rows: list[dict[str, object]]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    return path


def perturbed(source: Path, target: Path, *shifts: str, **options: object):  # type: ignore[no-untyped-def]
    given = {"fields": ("text",), "seed": 0, **options}
    return perturb_file(source, target, parse_shifts(shifts, seed=0), **given)  # type: ignore[arg-type]


def read(path: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


# --- sets ----------------------------------------------------------------------------------------


def test_noise_sets_hold_the_clean_ids_in_order() -> None:
    dataset = clean_set()
    sets = built(dataset, "keyboard-typos@1,5")
    assert [s.key for s in sets] == ["keyboard-typos@1", "keyboard-typos@5"]
    for shifted in sets:
        assert shifted.paired
        assert [e.id for e in shifted.examples] == [e.id for e in dataset.examples]
        assert [e.target for e in shifted.examples] == [e.target for e in dataset.examples]
        assert len(shifted.doses) == len(dataset.examples)
        assert "KeyboardTypos" in shifted.source
    assert [e.inputs for e in sets[1].examples] != [e.inputs for e in dataset.examples]


def test_sets_do_not_depend_on_which_others_are_built() -> None:
    alone = built(clean_set(), "char-drops@4")[0]
    assert built(clean_set(), "noisy", "char-drops@4")[-1] == alone


def test_a_natural_shift_of_the_users_own(tmp_path: Path) -> None:
    path = jsonl(
        tmp_path / "other.jsonl",
        [
            {"id": f"o{i}", "text": f"Another text, number {i}.", "label": "yes" if i % 2 else "no"}
            for i in range(20)
        ],
    )
    sets = built(clean_set(), "domain", "ood:mine", ood={"mine": str(path)})
    assert [s.key for s in sets] == ["mine"]
    (shifted,) = sets
    assert (shifted.family, shifted.paired, shifted.severity) == ("domain", False, None)
    assert len(shifted.examples) == 10
    assert shifted.doses == ()


def test_a_natural_shift_that_nobody_knows_is_an_error_even_beside_noise() -> None:
    for shift in ("domain", "all"):
        with pytest.raises(
            DataError, match=r"no natural shift is known for 'own'; give one with --ood"
        ):
            built(clean_set(), shift)


def test_a_misspelt_natural_shift_suggests_the_right_one(tmp_path: Path) -> None:
    path = jsonl(
        tmp_path / "o.jsonl", [{"text": "a", "label": "no"}, {"text": "b", "label": "yes"}]
    )
    with pytest.raises(DataError, match="did you mean 'tweets'"):
        built(clean_set(), "ood:tweet", ood={"tweets": str(path)})


def test_progress_counts_every_example() -> None:
    from contextlib import contextmanager

    steps: list[int] = []
    totals: list[int] = []

    @contextmanager
    def counting(what: str, total: int):  # type: ignore[no-untyped-def]
        totals.append(total)
        yield steps.append

    plans = parse_shifts(["char-drops@1,2"], seed=0)
    build_sets(clean_set(), plans, ood={}, limit=None, seed=0, progress=counting)
    assert sum(steps) == totals[0] == 2 * len(SENTENCES)


# --- files ---------------------------------------------------------------------------------------

ROWS: list[dict[str, object]] = [
    {"text": f"{text} {i}", "label": i % 2, "nested": {"kept": [i]}}
    for i in range(120)
    for text in SENTENCES
]


def test_every_row_appears_once_per_set_with_its_columns(tmp_path: Path) -> None:
    source = jsonl(tmp_path / "in.jsonl", ROWS[:8])
    summary = perturbed(source, tmp_path / "out.jsonl", "char-drops@1,5")
    rows = read(tmp_path / "out.jsonl")
    assert (summary.rows, summary.written, len(rows)) == (8, 16, 16)
    assert [row["shift"] for row in rows[:2]] == ["char-drops@1", "char-drops@5"]
    assert [row["shift_severity"] for row in rows[:2]] == [1, 5]
    assert all(row["nested"] == {"kept": [0]} for row in rows[:8])
    assert rows[0]["id"] == rows[1]["id"] != rows[2]["id"]
    assert summary.doses["char-drops@5"] > summary.doses["char-drops@1"]
    assert "8 rows x 2 sets" in str(summary)


@pytest.mark.parametrize("suffix", [".jsonl", ".jsonl.gz", ".csv"])
def test_any_number_of_processes_writes_the_same_bytes(tmp_path: Path, suffix: str) -> None:
    source = tmp_path / f"in{suffix}"
    if suffix == ".csv":
        with source.open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            writer.writerow(["text", "label"])
            writer.writerows([row["text"], row["label"]] for row in ROWS)
    else:
        lines = "".join(json.dumps(row) + "\n" for row in ROWS).encode()
        source.write_bytes(gzip.compress(lines) if suffix.endswith(".gz") else lines)
    contents = []
    for processes in (1, 2):
        target = tmp_path / f"out{processes}{suffix}"
        perturbed(source, target, "mixed-noise@3", processes=processes)
        contents.append(target.read_bytes())
    assert contents[0] == contents[1]
    assert len(contents[0]) > 1_000


def test_the_order_of_rows_does_not_matter(tmp_path: Path) -> None:
    forwards = jsonl(tmp_path / "a.jsonl", ROWS[:40])
    backwards = jsonl(tmp_path / "b.jsonl", ROWS[:40][::-1])
    perturbed(forwards, tmp_path / "a.out.jsonl", "char-drops")
    perturbed(backwards, tmp_path / "b.out.jsonl", "char-drops")
    assert read(tmp_path / "a.out.jsonl") == read(tmp_path / "b.out.jsonl")[::-1]


def test_repeated_rows_get_ids_and_noise_of_their_own(tmp_path: Path) -> None:
    source = jsonl(tmp_path / "in.jsonl", [{"text": SENTENCES[1]}] * 3)
    perturbed(source, tmp_path / "out.jsonl", "keyboard-typos@5")
    rows = read(tmp_path / "out.jsonl")
    first = str(rows[0]["id"])
    assert [row["id"] for row in rows] == [first, f"{first}-1", f"{first}-2"]
    assert len({row["text"] for row in rows}) == 3


def test_given_ids_are_kept_even_zero(tmp_path: Path) -> None:
    source = jsonl(tmp_path / "in.jsonl", [{"id": 0, "text": "one"}, {"id": "b", "text": "two"}])
    perturbed(source, tmp_path / "out.jsonl", "char-drops")
    assert [row["id"] for row in read(tmp_path / "out.jsonl")] == [0, "b"]


def test_repeats_are_counted_across_merges(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Repeats, "RECENT", 3)
    repeats = Repeats()
    names = [5, 2**64 - 1, 5, 7, 9, 11, 5, 2**64 - 1, 0, 7, 0]
    expected = [names[:i].count(name) for i, name in enumerate(names)]
    assert [repeats.before(name) for name in names] == expected


def test_a_csv_cell_with_breaks_survives(tmp_path: Path) -> None:
    source = tmp_path / "in.csv"
    source.write_text('text,note\n"two\nlines, ""quoted""",kept\n', "utf-8")
    perturbed(source, tmp_path / "out.csv", "extra-spaces@5")
    with (tmp_path / "out.csv").open(newline="", encoding="utf-8") as file:
        (row,) = csv.DictReader(file)
    assert row["note"] == "kept"
    assert row["text"].split() == ["two", "lines,", '"quoted"']
    assert row["shift"] == "extra-spaces@5"


def test_a_tsv_row_stays_one_row(tmp_path: Path) -> None:
    source = tmp_path / "in.tsv"
    source.write_text('text\tlabel\nhe said "a b c d e f g h i j"\t1\n', "utf-8")
    perturbed(source, tmp_path / "out.tsv", "extra-spaces@5")
    header, row = (tmp_path / "out.tsv").read_text("utf-8").splitlines()
    assert len(header.split("\t")) == len(row.split("\t"))
    assert row.split("\t")[0].split() == [
        "he",
        "said",
        '"a',
        "b",
        "c",
        "d",
        "e",
        "f",
        "g",
        "h",
        "i",
        'j"',
    ]


def test_a_table_may_become_json_lines(tmp_path: Path) -> None:
    source = tmp_path / "in.csv"
    source.write_text("text\nplain words here\n", "utf-8")
    perturbed(source, tmp_path / "out.jsonl", "upper-case@5")
    assert read(tmp_path / "out.jsonl")[0]["text"] == "PLAIN WORDS HERE"


def test_a_lone_surrogate_survives_json_lines(tmp_path: Path) -> None:
    source = tmp_path / "in.jsonl"
    source.write_text('{"text": "caf\\u00e9 \\ud800"}\n', "utf-8")
    perturbed(source, tmp_path / "out.jsonl", "upper-case@5")
    assert read(tmp_path / "out.jsonl")[0]["text"] == "CAFÉ \ud800"


@pytest.mark.parametrize(
    ("content", "fields", "message"),
    [
        (
            '{"text": "a"}\n{"txt": "b"}\n',
            ("text",),
            "line 2: no column 'text'; did you mean 'txt'",
        ),
        (
            '{"text": "a"}\n{"text": null}\n',
            ("text",),
            "line 2: column 'text' holds None, not text",
        ),
        ('{"text": "a"}\nnot json\n', ("text",), "line 2: not JSON"),
        ('{"text": "a", "shift": 1}\n', ("text",), "column 'shift' is one that perturb adds"),
        ("", ("text",), "holds no rows"),
    ],
)
def test_a_bad_line_is_named_and_leaves_nothing(
    tmp_path: Path, content: str, fields: tuple[str, ...], message: str
) -> None:
    source = tmp_path / "in.jsonl"
    source.write_text(content, "utf-8")
    with pytest.raises(DataError, match=message):
        perturbed(source, tmp_path / "out.jsonl", "char-drops", fields=fields)
    assert [path.name for path in tmp_path.iterdir()] == ["in.jsonl"]


def test_a_late_fault_keeps_the_old_file(tmp_path: Path) -> None:
    target = tmp_path / "out.jsonl"
    target.write_text("old")
    source = jsonl(tmp_path / "in.jsonl", [*ROWS, {"no": "text"}])
    with pytest.raises(DataError):
        perturbed(source, target, "char-drops")
    assert target.read_text() == "old"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in.jsonl", "out.jsonl"]


def test_a_missing_file_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="there is no file"):
        perturbed(tmp_path / "absent.jsonl", tmp_path / "out.jsonl", "char-drops")


def test_wrong_arguments_are_refused(tmp_path: Path) -> None:
    source = jsonl(tmp_path / "in.jsonl", ROWS[:1])
    with pytest.raises(RecipeError, match=r"a natural shift \(imdb\) cannot be made from a file"):
        perturbed(source, tmp_path / "out.jsonl", "ood:imdb")
    with pytest.raises(UsageError, match="is the input itself"):
        perturbed(source, source, "char-drops")
    with pytest.raises(UsageError, match=r"end the output in \.jsonl"):
        perturbed(source, tmp_path / "out.csv", "char-drops")
    with pytest.raises(UsageError, match="processes must be"):
        perturbed(source, tmp_path / "out.jsonl", "char-drops", processes=0)
    with pytest.raises(RecipeError, match="no shift given"):
        write_perturbed(source, tmp_path / "out.jsonl", [], fields=("text",), seed=0)


def test_protected_words_of_a_plan_stay(tmp_path: Path) -> None:
    (plan,) = parse_shifts(["upper-case@5"], seed=0)
    assert isinstance(plan, NoisePlan)
    guarded = NoisePlan(plan.family, plan.shift, plan.key, 5, 0, plan.chain, ("quiet harbour",))
    (shifted,) = build_sets(clean_set(), [guarded], ood={}, limit=None, seed=0)
    assert shifted.examples[0].inputs["text"].startswith("THE quiet harbour WAKES")


def test_held_out_demonstrations_leave_the_set_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "far.jsonl"
    path.write_text(
        "".join(
            json.dumps({"text": f"far text number {i}", "label": "ab"[i % 2]}) + "\n"
            for i in range(30)
        )
    )
    dataset = clean_set()
    labels = sorted({str(example.target) for example in dataset.examples})
    path.write_text(
        path.read_text().replace('"a"', f'"{labels[0]}"').replace('"b"', f'"{labels[1]}"')
    )

    def made(held_out: int, limit: int = 10) -> ShiftedSet:
        plans = parse_shifts(["ood:far"], seed=0)
        (found,) = build_sets(
            dataset, plans, ood={"far": str(path)}, limit=limit, seed=0, held_out=held_out
        )
        return found

    plain, apart = made(0), made(8)
    assert apart.examples == plain.examples
    assert not plain.demonstrations
    assert len(apart.demonstrations) == 8
    assert not {e.id for e in apart.demonstrations} & {e.id for e in apart.examples}
    with pytest.raises(DataError, match="leave --prompt-source target out"):
        made(20)


def test_a_file_in_another_encoding_is_read_and_utf_8_is_written(tmp_path: Path) -> None:
    source, target = tmp_path / "in.csv", tmp_path / "out.csv"
    source.write_text("text\ncafé\n", "utf-16")
    plans = parse_shifts(["upper-case@5"], seed=0)
    perturb_file(source, target, plans, fields=("text",), seed=0, encoding="utf-16")
    assert "CAFÉ" in target.read_text("utf-8")


@pytest.mark.parametrize("name", ["folder", "absent/out.jsonl"])
def test_a_place_that_holds_no_file_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / "folder").mkdir()
    source = jsonl(tmp_path / "in.jsonl", ROWS[:1])
    with pytest.raises(UsageError, match="is no place for a file"):
        perturbed(source, tmp_path / name, "char-drops")


def test_texts_in_memory_become_what_rows_of_a_file_do(tmp_path: Path) -> None:
    texts = [SENTENCES[0], SENTENCES[1], SENTENCES[0]]
    source = jsonl(tmp_path / "in.jsonl", [{"text": text} for text in texts])
    perturbed(source, tmp_path / "out.jsonl", "char-drops@5")
    made = perturb_texts(texts, parse_shifts(["char-drops@5", "word-drops@1"], seed=0))
    assert list(made) == ["char-drops@5", "word-drops@1"]
    written = [row["text"] for row in read(tmp_path / "out.jsonl")]
    assert [text for text, _ in made["char-drops@5"]] == written
    assert all(dose.changed for _, dose in made["char-drops@5"])
    with pytest.raises(RecipeError, match="edits a model's prompt"):
        perturb_texts(texts, parse_shifts(["prompt"], seed=0))
