import json
from pathlib import Path

import pytest

from robust_eval.data import load
from robust_eval.errors import DataError
from robust_eval.records import TaskKind

PAIR = [{"text": "good", "label": "positive"}, {"text": "bad", "label": "negative"}]


def targets(dataset):
    return [example.target for example in dataset.examples]


@pytest.mark.parametrize(
    ("row", "kind"),
    [
        ({"text": "t", "label": "a"}, TaskKind.CLASSIFICATION),
        ({"sentence": "t", "label": "a", "idx": 7}, TaskKind.CLASSIFICATION),
        ({"premise": "p", "hypothesis": "h", "label": "a"}, TaskKind.PAIR),
        ({"sentence1": "p", "sentence2": "h", "label": "a"}, TaskKind.PAIR),
        ({"context": "c", "question": "q", "answers": ["c"]}, TaskKind.EXTRACTIVE_QA),
        ({"question": "q", "answer": "42"}, TaskKind.OPEN_QA),
    ],
)
def test_the_task_follows_from_the_columns(write_json, row, kind):
    other = {
        **row,
        **({"label": "b"} if "label" in row else {}),
        **({"idx": 8} if "idx" in row else {}),
    }
    assert load(write_json([row, other])).task.kind is kind


def test_math_is_only_ever_asked_for(write_json):
    rows = [
        {"question": "2+2?", "answer": "Two and two\n#### 4"},
        {"question": "3?", "answer": 3.0},
    ]
    dataset = load(write_json(rows), task="math")
    assert targets(dataset) == [("4",), ("3",)]
    assert dataset.examples[0].meta == {"rationale": "Two and two"}
    assert dataset.labels == ()


def test_named_columns_and_labels_are_used(write_json):
    path = write_json([{"review": "good", "stars": 5}, {"review": "bad", "stars": 1}])
    dataset = load(
        path, columns={"text": "review", "label": "stars"}, label_map={"5": "up", "1.0": "down"}
    )
    assert targets(dataset) == ["up", "down"]
    assert dataset.labels == ("down", "up")


def test_columns_that_fit_two_tasks_must_be_told_apart(write_json):
    row = {"text": "t", "premise": "p", "hypothesis": "h", "label": "a"}
    path = write_json([row, {**row, "label": "b"}])
    with pytest.raises(
        DataError, match="the columns fit pair or classification; say which with --task"
    ):
        load(path)
    assert load(path, task="pair").task.kind is TaskKind.PAIR
    assert load(path, columns={"text": "text"}).task.kind is TaskKind.CLASSIFICATION


@pytest.mark.parametrize(
    ("rows", "options", "message"),
    [
        (
            [{"txt": "a", "label": "x"}],
            {},
            r"no column for 'text', which classification needs; did you mean 'txt'\?",
        ),
        (
            [{"text": "a", "labels": "x"}],
            {},
            r"no column for 'label'.*did you mean 'labels'\?; columns: text, labels",
        ),
        (PAIR, {"columns": {"text": "reviw"}}, "no column 'reviw' for 'text'"),
        (PAIR, {"columns": {"txt": "text"}}, "unknown field 'txt'.*did you mean 'text'"),
        (
            PAIR,
            {"task": "clasification"},
            "unknown task 'clasification'; did you mean 'classification'",
        ),
        (PAIR, {"task": "pair"}, "no column for 'premise', which pair needs"),
        (
            PAIR,
            {"label_map": {"positive": "up"}},
            "line 2: label 'negative' is not in the label map",
        ),
        (PAIR, {"label_map": {"positve": "up"}}, "did you mean 'positve'"),
        (PAIR, {"split": "test"}, "has no splits"),
        (
            [{"text": "a", "label": "x"}, {"text": "b", "label": "x"}],
            {},
            "every one of 2 examples is labelled 'x'",
        ),
        (
            [{"text": "a", "label": ""}, {"text": "b", "label": "x"}],
            {},
            "1 of 2 rows have no label, first line 1",
        ),
        (
            [{"text": "a", "label": None}, {"text": "b", "label": float("nan")}],
            {},
            "2 of 2 rows have no label",
        ),
        ([{"text": "a", "label": {"x": 1}}], {}, "line 1: the label is a dict"),
        ([{"text": "a", "label": "y" * 501}], {}, "label of 501 characters"),
        (
            [{"text": " ", "label": "x"}, {"text": "\n", "label": "y"}],
            {},
            "'text' is empty or white space in every row",
        ),
        ([{"text": None, "label": "x"}], {}, r"line 1: 'text' is missing \(null\)"),
        ([{"text": ["a"], "label": "x"}], {}, "line 1: 'text' is a list, not a text"),
        ([{"text": "a", "label": "x", "id": ""}], {}, "line 1: empty id"),
        ([{"text": "a", "label": "x", "id": [1]}], {}, "line 1: 'id' is a list"),
        ([{"question": "q", "answers": []}], {}, "line 1: no answer"),
        ([{"question": "q", "answers": [{}]}], {}, "line 1: an answer is a dict"),
        (
            [{"context": "", "question": "q", "answers": ["a"]}],
            {},
            "'context' is empty.*give --task open-qa",
        ),
    ],
)
def test_what_cannot_be_read_as_asked_is_one_clear_line(write_json, rows, options, message):
    with pytest.raises(DataError, match=message) as caught:
        load(write_json(rows), **options)
    assert "\n" not in str(caught.value)
    assert caught.value.exit_code == 2


@pytest.mark.parametrize(
    ("first", "second", "wanted"),
    [
        (0, 1, ["0", "1"]),
        (0.0, 1.0, ["0", "1"]),
        ("0.0", "1.0", ["0", "1"]),
        (False, True, ["false", "true"]),
        (0.5, 1.5, ["0.5", "1.5"]),
        (" up ", "down\t", ["up", "down"]),
        ("positive", "not positive", ["positive", "not positive"]),
        ("NA", "None", ["NA", "None"]),
        ("😀", "😢", ["😀", "😢"]),
    ],
)
def test_labels_become_the_same_strings_whatever_their_type(write_json, first, second, wanted):
    dataset = load(write_json([{"text": "a", "label": first}, {"text": "b", "label": second}]))
    assert targets(dataset) == wanted


def test_labels_of_csv_are_not_turned_into_floats_by_a_gap(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("text,label\na,1\nb,0\nNA,1\n")
    dataset = load(str(path))
    assert targets(dataset) == ["1", "0", "1"]
    assert dataset.examples[2].inputs["text"] == "NA"


def test_what_loading_changed_is_told(write_json):
    rows = [
        {"text": "a\ud800b", "label": "1.0"},
        {"text": "c\u0000d", "label": " 0"},
        {"text": "  ", "label": "0"},
        {"text": "e", "label": "2"},
    ]
    dataset = load(write_json(rows), label_map={"0": "no", "1": "yes", "2": "-"})
    assert dataset.examples[0].inputs["text"] == "a\ufffdb"
    assert dataset.examples[1].inputs["text"] == "c\ufffdd"
    assert set(dataset.notes) == {
        "lone surrogates and NUL characters replaced by U+FFFD: 2",
        "labels such as '1.0' read as '1': 1",
        "white space around labels removed: 1",
        "rows left out: label '2': 1",
        "examples whose text is empty or white space: 1",
    }


def test_rows_without_a_label_are_left_out_when_asked(write_json):
    path = write_json([*PAIR, {"text": "unclear", "label": None}])
    dataset = load(path, label_map={"-": "-"})
    assert targets(dataset) == ["positive", "negative"]
    assert dataset.notes == ("rows left out: no label: 1",)


def test_answers_come_from_lists_strings_numbers_and_squads_objects(write_json, tmp_path):
    rows = [
        {"question": "1", "answers": [" a ", "a", "b"]},
        {"question": "2", "answers": "c"},
        {"question": "3", "answers": 7},
        {"question": "4", "answers": {"text": ["d"], "answer_start": [3]}},
    ]
    assert targets(load(write_json(rows))) == [("a", "b"), ("c",), ("7",), ("d",)]
    path = tmp_path / "a.csv"
    path.write_text('question,answers\n1,"[""x"", ""y""]"\n2,[sic]\n')
    assert targets(load(str(path))) == [("x", "y"), ("[sic]",)]


def test_answers_that_the_context_lacks_are_counted(write_json):
    rows = [{"context": "in Rome", "question": "q", "answers": [a]} for a in ("Rome", "Paris")]
    assert load(write_json(rows)).notes == ("examples with no answer in the context as written: 1",)


# --- ids -----------------------------------------------------------------------------------------


def test_missing_ids_follow_from_content_so_that_order_does_not_matter(write_json):
    rows = [*PAIR, PAIR[0], PAIR[0]]
    forward, backward = load(write_json(rows)), load(write_json(rows[::-1], "b.jsonl"))
    by_id = {example.id: example for example in forward.examples}
    assert by_id == {example.id: example for example in backward.examples}
    assert len(by_id) == 4
    assert forward.fingerprint == backward.fingerprint
    first = forward.examples[0].id
    assert [e.id for e in forward.examples if e.target == "positive"] == [
        first,
        f"{first}-2",
        f"{first}-3",
    ]


def test_an_id_for_two_examples_is_an_error_and_for_identical_rows_a_note(write_json):
    rows = [{"id": 1, **PAIR[0]}, {"id": 2, **PAIR[1]}]
    with pytest.raises(
        DataError, match=r"line 3: id '1' already stands for another example \(line 1\)"
    ):
        load(write_json([*rows, {"id": 1, **PAIR[1]}]))
    dataset = load(write_json([*rows, rows[0]], "same.jsonl"))
    assert [example.id for example in dataset.examples] == ["1", "2"]
    assert dataset.notes == ("rows repeated with the same id left out: 1",)


def test_source_ids_name_the_original_and_default_to_the_example_itself(write_json):
    rows = [{"id": "o", **PAIR[0], "original_id": None}, {"id": "c", **PAIR[1], "original_id": "o"}]
    assert [example.source_id for example in load(write_json(rows)).examples] == ["o", "o"]


# --- fingerprint ---------------------------------------------------------------------------------


def test_the_fingerprint_changes_with_any_content_and_with_nothing_else(write_json):
    rows = [{"id": str(i), "text": f"t{i}", "label": "ab"[i % 2], "other": i} for i in range(6)]
    base = load(write_json(rows)).fingerprint
    assert load(write_json(rows[::-1], "other-name.jsonl")).fingerprint == base
    assert load(write_json([{**row, "other": "x"} for row in rows])).fingerprint == base
    for change in ({"id": "9"}, {"text": "T0"}, {"label": "b"}, {"source_id": "5"}):
        assert (
            load(write_json([{**rows[0], "source_id": "", **change}, *rows[1:]])).fingerprint
            != base
        )
    assert load(write_json(rows[1:])).fingerprint != base


# --- specs ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("", "the data spec is empty"),
        ("a\0b", "the data spec is empty"),
        ("demo:rotten-tomato", "did you mean 'rotten-tomatoes'"),
        (
            "rotten-tomatos",
            "no file and no known data set 'rotten-tomatos'; did you mean 'rotten-tomatoes'",
        ),
        ("nowhere/x.csv", "its folder 'nowhere' cannot be read"),
        ("x" * 5000, "no file and no known data set"),
        ("demo:imdb#test", "unknown demo data set"),
    ],
)
def test_specs_that_name_nothing_are_told_with_the_nearest_name(spec, message):
    with pytest.raises(DataError, match=message):
        load(spec)


def test_a_missing_file_suggests_its_neighbour(tmp_path):
    (tmp_path / "reviews.csv").write_text("")
    with pytest.raises(DataError, match=r"no file '.*review.csv'; did you mean 'reviews.csv'\?"):
        load(str(tmp_path / "review.csv"))


def test_a_folder_that_datasets_did_not_save_lists_its_files(tmp_path):
    (tmp_path / "reviews.csv").write_text("")
    with pytest.raises(
        DataError, match=r"none that `datasets` saved; give one of its files: reviews.csv"
    ):
        load(str(tmp_path))


def test_an_unreadable_file_is_told(write_json, monkeypatch):
    def refuse(*args, **options):
        raise PermissionError(13, "Permission denied")

    path = write_json(PAIR)
    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(DataError, match=r"cannot read .*Permission denied"):
        load(path)


def test_too_many_labels_hint_at_the_wrong_column(write_json):
    rows = [{"text": "a", "label": f"label {i}"} for i in range(501)]
    with pytest.raises(DataError, match="more than 500 different labels in column 'label'"):
        load(write_json(rows))


def test_hostile_keys_do_not_break_messages(tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_text(json.dumps({"x" * 10_000: 1, **{f"c{i}": i for i in range(1000)}}))
    with pytest.raises(DataError) as caught:
        load(str(path))
    assert len(str(caught.value)) < 1_500
