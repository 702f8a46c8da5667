import json

import pytest

datasets = pytest.importorskip("datasets")

from robust_eval.data import load  # noqa: E402
from robust_eval.data.hub import parse_hub_spec  # noqa: E402
from robust_eval.errors import DataError, InfrastructureError  # noqa: E402

REV = "0123456789abcdef0123456789abcdef01234567"


def small(labels=(1, 0, 1)):
    features = datasets.Features(
        {
            "text": datasets.Value("string"),
            "label": datasets.ClassLabel(names=["negative", "positive"]),
        }
    )
    texts = [f"film {i}" for i in range(len(labels))]
    return datasets.Dataset.from_dict({"text": texts, "label": list(labels)}, features=features)


@pytest.fixture
def fake_hub(monkeypatch):
    """`datasets.load_dataset` that records its calls and answers from memory."""
    calls = []
    answers = {}

    def load_dataset(path, **options):
        calls.append((path, options))
        answer = answers.get("error") or answers.get("data")
        if isinstance(answer, Exception):
            raise answer
        return answer[options["split"]] if options.get("split") else answer

    monkeypatch.setattr(datasets, "load_dataset", load_dataset)
    answers["data"] = datasets.DatasetDict({"train": small((0, 1)), "test": small()})
    return calls, answers


def test_the_hub_is_asked_for_the_pinned_revision_and_never_to_run_code(fake_hub):
    calls, _ = fake_hub
    dataset = load(f"hub:org/films:plain@{REV}#train")
    assert calls == [("org/films", {"name": "plain", "revision": REV, "split": "train"})]
    assert dataset.name == "films-plain"
    assert dataset.revision == REV
    assert [e.target for e in dataset.examples] == ["negative", "positive"]


def test_without_a_split_the_test_split_is_taken(fake_hub):
    assert len(load(f"hub:org/films@{REV}").examples) == 3
    assert len(load(f"hub:org/films@{REV}", split="train").examples) == 2
    with pytest.raises(DataError, match="two splits"):
        load(f"hub:org/films@{REV}#test", split="train")


def test_a_choice_of_splits_is_asked_for_when_none_is_for_testing(fake_hub):
    _, answers = fake_hub
    answers["data"] = datasets.DatasetDict({"a": small(), "b": small()})
    with pytest.raises(DataError, match="has the splits a, b; choose one with #SPLIT"):
        load(f"hub:org/films@{REV}")


def test_catalog_names_load_their_pinned_entry(fake_hub):
    calls, answers = fake_hub
    rows = {"idx": [0, 1], "sentence": ["bad", "good"], "label": [0, 1]}
    features = datasets.Features(
        {
            "idx": datasets.Value("int32"),
            "sentence": datasets.Value("string"),
            "label": datasets.ClassLabel(names=["negative", "positive"]),
        }
    )
    one = datasets.Dataset.from_dict(rows, features=features)
    answers["data"] = datasets.DatasetDict({"validation": one, "train": one})
    dataset = load("sst2")
    path, options = calls[0]
    assert path == "stanfordnlp/sst2"
    assert options["split"] == "validation"
    assert len(options["revision"]) == 40
    assert dataset.name == "sst2"
    assert dataset.labels == ("negative", "positive")
    load("sst2#train")
    assert calls[1][1]["split"] == "train"


def test_unlabelled_pairs_of_snli_are_left_out_with_a_note(fake_hub):
    _, answers = fake_hub
    names = ["entailment", "neutral", "contradiction"]
    features = datasets.Features(
        {
            "premise": datasets.Value("string"),
            "hypothesis": datasets.Value("string"),
            "label": datasets.ClassLabel(names=names),
        }
    )
    rows = {"premise": ["p"] * 4, "hypothesis": list("abcd"), "label": [0, 1, 2, -1]}
    answers["data"] = datasets.DatasetDict(
        {"test": datasets.Dataset.from_dict(rows, features=features)}
    )
    dataset = load("snli")
    assert [e.target for e in dataset.examples] == names
    assert dataset.notes == ("rows left out: no label: 1",)


def test_hidden_labels_are_told(fake_hub):
    _, answers = fake_hub
    answers["data"] = datasets.DatasetDict({"test": small((-1, -1))})
    with pytest.raises(DataError, match=r"2 of 2 rows have no label.*choose the split"):
        load(f"hub:org/films@{REV}")


@pytest.mark.parametrize(
    ("error", "kind", "message"),
    [
        (ConnectionError("Couldn't reach the Hub\nmore"), InfrastructureError, "cannot be reached"),
        (OSError("offline"), InfrastructureError, "HF_HUB_OFFLINE"),
        (FileNotFoundError("no such data set"), DataError, "cannot load 'org/films'"),
        (ValueError("BuilderConfig 'x' not found"), DataError, "check id, configuration"),
        (
            RuntimeError("Dataset scripts are no longer supported"),
            DataError,
            "scripts are no longer",
        ),
    ],
)
def test_what_the_hub_refuses_is_one_clear_line(fake_hub, error, kind, message):
    fake_hub[1]["error"] = error
    with pytest.raises(kind, match=message) as caught:
        load(f"hub:org/films@{REV}")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("hub:org/films", "is not pinned: add @"),
        ("hub:org/films@", "is not pinned"),
        ("hub:org/films@main", "revision 'main' .* can move"),
        ("hub:org/films@0123abc", "can move"),
        ("hub:@x", "is not hub:ID"),
        ("hub:../../etc@x", "is not hub:ID"),
        ("hub:a/b/c@x", "is not hub:ID"),
    ],
)
def test_hub_specs_must_be_pinned(spec, message):
    with pytest.raises(DataError, match=message):
        load(spec)


def test_a_hub_spec_has_four_parts():
    assert parse_hub_spec(f"hub:a/b:c@{REV}#d") == ("a/b", "c", REV, "d")
    assert parse_hub_spec(f"hub:b@{REV}") == ("b", None, REV, None)


# --- folders -------------------------------------------------------------------------------------


def test_saved_folders_are_read_with_their_class_names(tmp_path):
    small().save_to_disk(str(tmp_path / "films"))
    dataset = load(str(tmp_path / "films"))
    assert [e.target for e in dataset.examples] == ["positive", "negative", "positive"]
    assert dataset.name == "films"


def test_saved_folders_with_splits_give_the_one_asked_for(tmp_path):
    datasets.DatasetDict({"train": small((0, 1)), "test": small()}).save_to_disk(
        str(tmp_path / "films")
    )
    assert len(load(str(tmp_path / "films")).examples) == 3
    assert len(load(f"{tmp_path / 'films'}#train").examples) == 2
    with pytest.raises(DataError, match="has no split 'trian'; did you mean 'train'"):
        load(f"{tmp_path / 'films'}#trian")


@pytest.mark.parametrize(
    ("listing", "said"),
    [
        ("dataset_dict.json", {"splits": ["test", "../other"]}),
        ("dataset_dict.json", {"splits": [".."]}),
        ("test/state.json", {"_data_files": [{"filename": "../../secret.arrow"}]}),
        ("test/state.json", {"_data_files": [{"filename": "/etc/passwd"}]}),
    ],
)
def test_a_saved_folder_that_points_out_of_itself_is_refused(tmp_path, listing, said):
    place = tmp_path / "films"
    datasets.DatasetDict({"test": small()}).save_to_disk(str(place))
    (place / listing).write_text(json.dumps(said))
    with pytest.raises(DataError, match="which is not in its folder"):
        load(str(place))


def test_a_broken_saved_folder_is_told(tmp_path):
    (tmp_path / "dataset_info.json").write_text("{}")
    with pytest.raises(DataError, match="cannot read the data folder"):
        load(str(tmp_path))
