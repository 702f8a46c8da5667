"""Real data sets, when they are there."""

import os
from pathlib import Path

import pytest

from robust_eval.data import OodSet, load, load_ood, make_splits, ood_sets
from robust_eval.records import TaskKind

FOLDER = os.environ.get("ROBUST_EVAL_TEST_DATA")
pytestmark = pytest.mark.skipif(not FOLDER, reason="test data: ROBUST_EVAL_TEST_DATA is not set")
SENTIMENT = ("negative", "positive")
NLI = ("contradiction", "entailment", "neutral")


def path_of(name):
    return str(Path(FOLDER or "") / f"{name}.jsonl.gz")


@pytest.mark.parametrize(
    ("name", "kind", "labels", "size"),
    [
        ("sst2/dev", TaskKind.CLASSIFICATION, SENTIMENT, 872),
        ("sst2/test", TaskKind.CLASSIFICATION, SENTIMENT, 1_821),
        ("snli/test", TaskKind.PAIR, NLI, 3_000),
        ("squad_xquad_en/test", TaskKind.EXTRACTIVE_QA, (), 1_190),
        ("gsm8k/test", TaskKind.OPEN_QA, (), 682),
        ("imdb_contrast/test", TaskKind.CLASSIFICATION, SENTIMENT, 976),
        ("nli_cad/dev", TaskKind.PAIR, NLI, 998),
    ],
)
def test_real_data_load_by_inference(name, kind, labels, size):
    dataset = load(path_of(name))
    assert (dataset.task.kind, dataset.labels, len(dataset.examples)) == (kind, labels, size)


def test_math_problems_keep_their_answers():
    dataset = load(path_of("gsm8k/test"), task="math")
    assert all(len(e.target) == 1 and e.target[0] for e in dataset.examples)
    assert dataset.labels == ()


def test_sst2_splits_are_clean():
    splits = make_splits(
        load(path_of("sst2/dev")),
        load(path_of("sst2/train")),
        limit=200,
        train_size=2_000,
        pool_size=64,
        seed=0,
    )
    assert splits.summary["sizes"] == {
        "test": 200,
        "train": 1_800,
        "dev": 200,
        "demonstrations": 64,
    }
    assert set(splits.summary["label_counts"]["test"].values()) == {100}


def test_a_three_class_set_serves_a_two_class_one_when_mapped():
    ood = OodSet("tweets", path_of("tweet_sentiment/test"), label_map={"neutral": "-"})
    shifted = load_ood(ood, load(path_of("sst2/dev")), limit=200, seed=0)
    assert shifted.labels == SENTIMENT
    assert len(shifted.examples) == 200
    assert "rows left out: label 'neutral': 1,450" in shifted.notes


def test_a_real_contrast_set_pairs_with_its_originals(write_json):
    dataset = load(path_of("imdb_contrast/test"))
    ood = OodSet("edits", path_of("imdb_contrast/test"), paired=True)
    originals = [e for e in dataset.examples if e.source_id == e.id]
    clean = load(
        write_json([{"id": e.id, "text": e.inputs["text"], "label": e.target} for e in originals])
    )
    shifted = load_ood(ood, clean, limit=None, seed=0)
    assert len(shifted.examples) == len(originals) == 488
    before = {e.id: e.target for e in clean.examples}
    assert all(before[e.id] != e.target for e in shifted.examples)  # these edits flip the label


@pytest.mark.parametrize(
    ("clean", "name", "copy"),
    [
        ("sst2/dev", "customer-reviews", "customer_reviews/test"),
        ("sst2/dev", "tweets", "tweet_sentiment/test"),
        ("sst2/dev", "wilds-amazon", "amazon_books/test"),
        ("sst2/dev", "advglue-sst2", "advglue/sst2"),
        ("snli/test", "mnli-hard", "mnli_matched_hard/test"),
        ("snli/test", "negation-nli", "negation_snli/test"),
        ("snli/test", "advglue-mnli", "advglue/mnli"),
        ("rte/test", "hans", "hans_regen/test"),
        ("rte/test", "advglue-rte", "advglue/rte"),
        ("advglue/qqp", "qqp", "advglue/qqp"),
        ("squad_xquad_en/test", "squadshifts-reddit", "squadshifts_reddit/test"),
        ("squad_xquad_en/test", "squadshifts-new-wiki", "squadshifts_new_wiki/test"),
    ],
)
def test_local_copies_stand_in_for_sets_of_the_catalog(clean, name, copy):
    dataset = load(path_of(clean))
    (ood,) = (o for o in ood_sets(dataset.name, {name: path_of(copy)}) if o.name == name)
    shifted = load_ood(ood, dataset, limit=30, seed=0)
    assert len(shifted.examples) == 30
    assert set(shifted.labels) == set(dataset.labels)


@pytest.mark.parametrize(
    ("clean", "name", "copy", "pairs", "flips"),
    [
        ("squad_xquad_en/test", "noiseqa-keyboard", "noiseqa_synthetic/keyboard", 1190, False),
        ("squad_xquad_en/test", "noiseqa-asr", "noiseqa_synthetic/asr", 1190, False),
        ("imdb_cad/dev", "imdb-cad", "imdb_cad/dev", 244, True),
        ("imdb_contrast/dev", "imdb-contrast", "imdb_contrast/dev", 100, True),
    ],
)
def test_paired_copies_pair_by_the_originals_id(clean, name, copy, pairs, flips):
    dataset = load(path_of(clean))
    (ood,) = (o for o in ood_sets(dataset.name, {name: path_of(copy)}) if o.name == name)
    shifted = load_ood(ood, dataset, limit=None, seed=0)
    assert len(shifted.examples) == pairs
    before = {e.id: e.target for e in dataset.examples}
    changed = sum(before[e.id] != e.target for e in shifted.examples)
    assert changed == (pairs if flips else 0)


@pytest.mark.parametrize(
    ("name", "kind", "labels", "size"),
    [
        ("aqua/test", TaskKind.MULTIPLE_CHOICE, ("A", "B", "C", "D", "E"), 254),
        ("boolq/test", TaskKind.BOOLEAN_QA, ("no", "yes"), 2_000),
        ("strategyqa/test", TaskKind.BOOLEAN_QA, ("no", "yes"), 1_999),
        ("gsm8k/dev", TaskKind.MATH, (), 600),
        ("svamp/test", TaskKind.MATH, (), 700),
        ("nq_open/test", TaskKind.OPEN_QA, (), 1_800),
    ],
)
def test_reasoning_and_question_files_load_under_their_task(name, kind, labels, size) -> None:
    found = load(path_of(name), task=kind)
    assert (found.task.kind, found.labels, len(found.examples)) == (kind, labels, size)
    reasoned = [e for e in found.examples if e.meta.get("rationale")]
    assert len(reasoned) == (0 if name in ("boolq/test", "nq_open/test") else size)
