import pytest

from robust_eval.data import OodSet, Reading, describe_domains, load_ood, ood_sets, training_spec
from robust_eval.data.catalog import DATA_SETS
from robust_eval.data.demo import SOURCES
from robust_eval.data.hub import parse_hub_spec
from robust_eval.data.pairings import BY_NAME, PAIRINGS
from robust_eval.errors import DataError


@pytest.fixture
def id_set(make_dataset):
    return make_dataset(
        [(f"film {i}", ("negative", "positive")[i % 2]) for i in range(10)], name="films"
    )


def rows_of(n, labels=("negative", "positive")):
    return [{"text": f"product {i}", "label": labels[i % len(labels)]} for i in range(n)]


def test_the_catalog_knows_the_demo_pairing_by_name_and_by_spec():
    for name in ("rotten-tomatoes", "demo:rotten-tomatoes", "rotten-tomatoes#test"):
        assert [ood.name for ood in ood_sets(name) if ood.core] == ["imdb"]
    assert ood_sets("films") == ()


def test_overrides_replace_catalog_sets_and_add_others():
    sets = ood_sets("rotten-tomatoes", {"imdb": "mine.csv", "edits": "paired:edits.csv"})
    assert [(ood.name, ood.spec, ood.paired) for ood in sets if ood.given] == [
        ("imdb", "mine.csv", False),
        ("edits", "edits.csv", True),
    ]
    assert sets[0].max_characters is None  # the catalog's rule was for the catalog's texts
    with pytest.raises(DataError, match="a name and a data spec"):
        ood_sets("films", {"x": "paired:"})


def test_every_catalog_entry_is_pinned_and_can_be_resolved():
    for known in DATA_SETS.values():
        assert parse_hub_spec(known.spec).id == known.hub_id
    for name, sets in PAIRINGS.items():
        assert name in DATA_SETS or name in SOURCES
        for ood in sets:
            if ood.spec:
                base = ood.spec.partition("#")[0]
                assert base in DATA_SETS or base.removeprefix("demo:") in SOURCES
            else:
                assert ood.where
                assert not ood.core
                assert "@" not in ood.where  # no revision that nobody verified
            assert ood.title
            assert ood.licence
            assert ood.paper


def test_domains_are_described_for_the_command_line():
    rows = describe_domains()
    assert {"dataset", "ood", "spec", "rule", "paired", "licence", "paper"} == set(rows[0])
    assert ("rotten-tomatoes", "imdb", "at most 1,000 characters") in [
        (row["dataset"], row["ood"], row["rule"]) for row in rows
    ]
    for row in rows:
        pinned = "@" in row["spec"] or row["spec"].startswith("demo:")
        assert pinned or row["spec"].startswith(f"--ood {row['ood']}=DATA")


def test_what_has_no_verified_revision_asks_for_a_copy(id_set):
    with pytest.raises(DataError, match=r"--ood hans=FILE or --ood hans=hub:ID@REV \(github:"):
        load_ood(BY_NAME["hans"], id_set, limit=1, seed=0)


def test_a_copy_under_a_catalog_name_keeps_its_labels_and_pairing(write_json, make_dataset):
    (tweets,) = (o for o in ood_sets("films", {"tweets": "t.jsonl"}))
    assert tweets.label_map["neutral"] == "-"
    assert ood_sets("films", {"imdb-cad": "c.jsonl"})[0].paired
    own = ood_sets("films", {"tweets": "t.jsonl"}, Reading(label_map={"1": "positive"}))
    assert own[0].label_map == {"1": "positive"}
    spec = write_json(rows_of(9, ("negative", "neutral", "positive")))
    ood = ood_sets("films", {"tweets": spec})[0]
    films = make_dataset([(f"f{i}", ("negative", "positive")[i % 2]) for i in range(4)])
    assert len(load_ood(ood, films, limit=None, seed=0).examples) == 6
    # Of another task the catalog's label names mean nothing.
    other = make_dataset([(f"f{i}", ("down", "up")[i % 2]) for i in range(4)])
    spec = write_json(rows_of(4, ("down", "up")))
    ood = ood_sets("films", {"tweets": spec})[0]
    assert len(load_ood(ood, other, limit=None, seed=0).examples) == 4


def test_training_splits_of_catalog_sets_are_known():
    assert training_spec("sst2") == "sst2#train"
    assert training_spec("sst2#test") == "sst2#train"
    assert training_spec("sst2#train") is None
    assert training_spec("reviews.csv") is None
    assert training_spec("demo:rotten-tomatoes") is None


def test_a_shifted_set_has_the_labels_and_task_of_the_id_set(write_json, id_set):
    spec = write_json(rows_of(30))
    shifted = load_ood(OodSet("products", spec), id_set, limit=8, seed=0)
    assert shifted.name == "products"
    assert shifted.labels == id_set.labels
    assert [e.target for e in shifted.examples].count("positive") == 4
    assert shifted.population == "reviews (30), class-balanced draw of 8"
    again = load_ood(OodSet("products", spec), id_set, limit=20, seed=0)
    assert again.examples[:8] == shifted.examples
    assert len(load_ood(OodSet("products", spec), id_set, limit=None, seed=0).examples) == 30


def test_what_was_trained_on_or_shown_is_left_out(write_json, id_set):
    spec = write_json(
        [
            *rows_of(6),
            {"text": "FILM 0!", "label": "positive"},
            {"text": "Product 1", "label": "positive"},
        ]
    )
    ood = OodSet("products", spec)
    shifted = load_ood(ood, id_set, limit=None, seed=0, exclude=[*id_set.examples, "product 2"])
    texts = {e.inputs["text"].casefold() for e in shifted.examples}
    assert texts == {f"product {i}" for i in (0, 1, 3, 4, 5)}
    assert "examples left out because training or demonstrations hold them: 2" in shifted.notes
    assert "duplicates left out: 1" in shifted.notes


def test_labels_that_the_id_set_lacks_are_an_error_unless_mapped(write_json, id_set):
    spec = write_json(rows_of(9, ("neg", "neutral", "positive")))
    with pytest.raises(DataError, match=r"label 'neg' is not one of 'films'.*negative"):
        load_ood(OodSet("products", spec), id_set, limit=None, seed=0)
    mapped = OodSet(
        "products", spec, label_map={"neg": "negative", "neutral": "-", "positive": "positive"}
    )
    assert len(load_ood(mapped, id_set, limit=None, seed=0).examples) == 6


def test_a_missing_class_is_noted_not_refused(write_json, id_set):
    shifted = load_ood(OodSet("p", write_json(rows_of(4, ("positive",)))), id_set, limit=9, seed=0)
    assert "p: no example of negative" in shifted.notes
    assert "p: all 4 examples; 9 were asked for" in shifted.notes


def test_nothing_left_is_an_error(write_json, id_set):
    ood = OodSet("p", write_json([{"text": "film 0", "label": "positive"}]), max_characters=None)
    with pytest.raises(DataError, match="no example is left"):
        load_ood(ood, id_set, limit=9, seed=0, exclude=id_set.examples)
    with pytest.raises(DataError, match="no text is short enough"):
        load_ood(OodSet("p", ood.spec, max_characters=3), id_set, limit=9, seed=0)


def test_a_paired_set_takes_the_ids_of_its_originals(write_json, id_set):
    edits = [
        {"id": "r0", "text": "film 0", "label": "negative", "original_id": None},  # an original
        {"id": "e0", "text": "film 0, but good", "label": "positive", "original_id": "r0"},
        {"id": "e1", "text": "film 1, but bad", "label": "negative", "original_id": "r1"},
        {"id": "e1b", "text": "film 1, but awful", "label": "negative", "original_id": "r1"},
        {"id": "e99", "text": "unknown", "label": "negative", "original_id": "r99"},
    ]
    ood = OodSet("edits", write_json(edits), paired=True)
    shifted = load_ood(ood, id_set, limit=None, seed=0)
    assert sorted((e.id, e.target) for e in shifted.examples) == [
        ("r0", "positive"),
        ("r1", "negative"),
    ]
    assert {e.source_id for e in shifted.examples} == {"r0", "r1"}
    assert "further edits of the same original left out: 1" in shifted.notes
    backward = load_ood(
        OodSet("edits", write_json(edits[::-1], "b.jsonl"), paired=True), id_set, limit=None, seed=0
    )
    assert backward.examples == shifted.examples


def test_a_paired_set_of_other_data_is_an_error(write_json, id_set):
    ood = OodSet("edits", write_json(rows_of(4)), paired=True)
    with pytest.raises(DataError, match="no source_id is an id of 'films'"):
        load_ood(ood, id_set, limit=None, seed=0)


def test_the_users_own_set_is_read_as_the_id_set_or_by_our_names(write_json, id_set):
    """`--column text=review --label-map 0=negative,1=positive` holds for `--ood` files too."""
    reading = Reading({"text": "review", "label": "stars"}, {"0": "negative", "1": "positive"})
    as_id_set = [{"review": f"tweet {i}", "stars": i % 2} for i in range(6)]
    for number, rows in enumerate((as_id_set, rows_of(6))):
        path = write_json(rows, name=f"ood{number}.jsonl")
        (ood,) = ood_sets("films", {"tweets": str(path)}, reading)
        loaded = load_ood(ood, id_set, limit=None, seed=0)
        assert {e.target for e in loaded.examples} == {"negative", "positive"}
        assert len(loaded.examples) == 6
