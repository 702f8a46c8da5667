from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from robust_eval.data import make_splits
from robust_eval.data.duplicates import key_of, normalised
from robust_eval.errors import DataError
from robust_eval.records import TASKS, Dataset, Example, TaskKind

SIZES = {"limit": 20, "train_size": 30, "pool_size": 8, "seed": 0}
TASK = TASKS[TaskKind.CLASSIFICATION]


def toy(make_dataset, n=100, labels=("negative", "positive"), **options):
    rows = [(f"review number {i}", labels[i % len(labels)]) for i in range(n)]
    return make_dataset(rows, **options)


def parts(splits):
    return {
        "test": splits.test.examples,
        "train": splits.train,
        "dev": splits.dev,
        "demonstrations": splits.demonstrations,
    }


def shuffled_dataset(dataset, order):
    examples = tuple(dataset.examples[i] for i in order)
    return Dataset(dataset.name, TASK, dataset.labels, examples, "test", dataset.fingerprint)


@settings(max_examples=60, deadline=None)
@given(
    texts=st.lists(
        st.tuples(
            st.sampled_from(
                ["ab", "Ab!", "a b", "cd", "ef", "gh", "ij", "kl", "mn", "op", "qr", "st"]
            ),
            st.integers(0, 2),
            st.sampled_from(["", "", "s1", "s2"]),
        ),
        min_size=8,
        max_size=60,
    ),
    limit=st.one_of(st.none(), st.integers(1, 30)),
    train_size=st.integers(0, 30),
    pool_size=st.integers(0, 8),
    seed=st.integers(0, 3),
    order=st.randoms(use_true_random=False),
)
def test_parts_share_no_text_id_or_source_whatever_the_data_and_their_order(
    texts, limit, train_size, pool_size, seed, order
):
    examples = tuple(
        Example(f"r{i}", {"text": text}, f"c{label}", source or f"r{i}")
        for i, (text, label, source) in enumerate(texts)
    )
    labels = tuple(sorted({e.target for e in examples}))
    dataset = Dataset("toy", TASK, labels, examples, "test", "")
    options = {
        "limit": limit,
        "train_size": train_size,
        "pool_size": pool_size,
        "seed": seed,
        "shots": 0,
    }
    kept = {}
    for example in sorted(examples, key=lambda e: e.id, reverse=True):
        kept[key_of(TASK, example)] = example  # the smallest id stays
    if len({e.target for e in kept.values()}) < 2:
        with pytest.raises(DataError, match=r"say the same|one class"):
            make_splits(dataset, None, **options)
        return
    splits = make_splits(dataset, None, **options)
    found = parts(splits)
    for one in found:
        for other in found:
            for kind in (lambda e: e.id, lambda e: e.source_id, lambda e: key_of(TASK, e)):
                assert one == other or {kind(e) for e in found[one]}.isdisjoint(
                    kind(e) for e in found[other]
                )
    assert splits.test.examples
    assert len(found["train"]) + len(found["dev"]) <= train_size
    assert len(found["demonstrations"]) <= pool_size
    rows = list(range(len(examples)))
    order.shuffle(rows)
    assert parts(make_splits(shuffled_dataset(dataset, rows), None, **options)) == found


@settings(max_examples=40, deadline=None)
@given(
    smaller=st.integers(1, 60),
    larger=st.integers(1, 60),
    seed=st.integers(0, 5),
    n=st.integers(4, 80),
)
def test_a_smaller_test_draw_is_the_beginning_of_a_larger_one(
    make_dataset, smaller, larger, seed, n
):
    dataset = toy(make_dataset, n, ("a", "b", "c"))
    smaller, larger = sorted((smaller, larger))
    draws = [
        make_splits(dataset, None, limit=limit, train_size=0, pool_size=0, seed=seed).test.examples
        for limit in (smaller, larger)
    ]
    assert draws[1][: len(draws[0])] == draws[0]
    counts = Counter(e.target for e in draws[0])
    if len(draws[0]) <= n - n % 3:  # every class still had one to give
        assert max(counts.values()) - min(counts[c] for c in "abc") <= 1


def test_every_part_is_class_balanced(make_dataset):
    rows = [(f"review number {i}", "positive" if i % 5 == 0 else "negative") for i in range(400)]
    for part in parts(make_splits(make_dataset(rows), None, **SIZES)).values():
        counts = Counter(example.target for example in part)
        assert abs(counts["positive"] - counts["negative"]) <= 1


def test_the_limit_changes_neither_training_nor_demonstrations(make_dataset):
    dataset = toy(make_dataset)
    one = parts(make_splits(dataset, None, **{**SIZES, "limit": 10}))
    two = parts(make_splits(dataset, None, **{**SIZES, "limit": 40}))
    assert one.pop("test") != two.pop("test")
    assert one == two


def test_the_seed_changes_the_draw(make_dataset):
    dataset = toy(make_dataset)
    first = make_splits(dataset, None, **SIZES).test.examples
    assert make_splits(dataset, None, **{**SIZES, "seed": 1}).test.examples != first


def test_a_tenth_of_the_training_part_is_held_out(make_dataset):
    splits = make_splits(toy(make_dataset), None, **SIZES)
    assert (len(splits.test.examples), len(splits.train), len(splits.dev)) == (20, 27, 3)
    assert len(splits.demonstrations) == 8
    assert splits.summary["sizes"] == {"test": 20, "train": 27, "dev": 3, "demonstrations": 8}


def test_a_draw_names_its_population(make_dataset):
    test = make_splits(toy(make_dataset), None, **SIZES).test
    assert test.population == "toy: class-balanced draw of 20 from 100 (seed 0)"
    assert test.fingerprint != toy(make_dataset).fingerprint


def test_duplicates_within_the_test_data_collapse_with_a_note(make_dataset):
    rows = [(f"review number {i}", "ab"[i % 2]) for i in range(20)]
    rows += [("Review  number 0!", "a"), ("REVIEW NUMBER 1", "a")]
    splits = make_splits(make_dataset(rows), None, limit=None, train_size=0, pool_size=0, seed=0)
    assert len(splits.test.examples) == 20
    assert "duplicates left out: 2 (1 of them with different labels)" in splits.test.notes
    assert splits.summary["duplicates"]["removed_from_test_data"] == 2


def test_training_data_that_the_test_data_hold_are_removed(make_dataset):
    dataset = toy(make_dataset, 20, name="test")
    rows = [(f"REVIEW, number {i}!", "negative") for i in range(6)]
    rows += [(f"training text {i}", ("negative", "positive")[i % 2]) for i in range(40)]
    train = make_dataset(rows, prefix="t")
    splits = make_splits(dataset, train, limit=4, train_size=30, pool_size=4, seed=0)
    kept = {
        normalised(e.inputs["text"])
        for part in ("train", "dev", "demonstrations")
        for e in parts(splits)[part]
    }
    assert not any(text.startswith("review number") for text in kept)
    assert splits.summary["duplicates"]["training_examples_found_in_test_data"] == 6
    assert any("because the test data hold them: 6" in note for note in splits.test.notes)


def test_row_numbers_of_two_files_are_not_taken_for_shared_sources(make_dataset):
    train = make_dataset(
        [(f"training text {i}", ("negative", "positive")[i % 2]) for i in range(60)]
    )
    splits = make_splits(toy(make_dataset, 60), train, **SIZES)
    assert splits.summary["duplicates"]["training_examples_found_in_test_data"] == 0


def test_named_groups_do_not_straddle_two_files(make_dataset):
    test = make_dataset([("t1", "a", "film1"), ("t2", "b", "film2"), ("t3", "a", "film1")])
    rows = [(f"review {i}", "ab"[i % 2], f"film{i}") for i in range(20)]
    splits = make_splits(
        test,
        make_dataset(rows, prefix="t"),
        limit=1,
        train_size=20,
        pool_size=0,
        seed=0,
        dev_share=0,
    )
    sources = {example.source_id for example in splits.train}
    assert len(sources) == 18
    assert sources.isdisjoint({"film1", "film2"})


def test_more_than_there_is_means_all_with_a_note(make_dataset):
    train = make_dataset(
        [(f"text {i}", ("negative", "positive")[i % 2]) for i in range(30)], prefix="t"
    )
    splits = make_splits(
        toy(make_dataset, 10), train, limit=1000, train_size=2000, pool_size=64, seed=0, shots=4
    )
    assert len(splits.test.examples) == 10
    assert len(splits.demonstrations) >= 4
    assert len(splits.train) > 0
    assert len(splits.dev) > 0
    notes = splits.summary["notes"]
    assert "test: all 10 examples; 1,000 were asked for" in notes
    assert any(
        note.startswith("training data: ") and note.endswith("of the 2,000 asked for")
        for note in notes
    )
    assert any(note.startswith("demonstration pool: ") for note in notes)


def test_half_of_a_single_source_stays_for_the_test(make_dataset):
    splits = make_splits(
        toy(make_dataset, 40), None, limit=None, train_size=2000, pool_size=64, seed=0, shots=4
    )
    assert len(splits.test.examples) == 20
    assert len(splits.train) + len(splits.dev) + len(splits.demonstrations) == 20
    over = make_splits(
        toy(make_dataset, 40), None, limit=39, train_size=2000, pool_size=64, seed=0, shots=4
    )
    assert over.test.examples == splits.test.examples
    assert any("--train" in note for note in over.summary["notes"])


def test_more_demonstrations_than_data_is_an_error(make_dataset):
    with pytest.raises(
        DataError, match=r"40 demonstrations asked for, but 'toy' has 20 left.*--shots"
    ):
        make_splits(
            toy(make_dataset, 40), None, limit=20, train_size=10, pool_size=64, seed=0, shots=40
        )
    with pytest.raises(DataError, match="64 demonstrations asked for"):
        make_splits(toy(make_dataset, 40), None, limit=20, train_size=10, pool_size=64, seed=0)


def test_one_text_over_and_over_is_nothing_to_test(make_dataset):
    rows = [("Same text.", "a"), ("same  TEXT", "b"), ("same text!", "a")]
    with pytest.raises(DataError, match="all 3 examples say the same"):
        make_splits(make_dataset(rows), None, **SIZES)


def test_duplicates_that_leave_one_class_are_an_error(make_dataset):
    rows = [("same", "a"), ("Same", "b"), ("other", "a")]
    with pytest.raises(DataError, match="examples of one class are left"):
        make_splits(make_dataset(rows), None, **SIZES)


def test_labels_of_test_and_training_data_must_agree(make_dataset):
    with pytest.raises(DataError, match="label 'bad' of 'toy' is not in the training data"):
        make_splits(toy(make_dataset, labels=("bad", "good")), toy(make_dataset), **SIZES)
    wider = toy(make_dataset, 60, ("negative", "neutral", "positive"), name="wide", prefix="w")
    rows = [(f"other text {i}", ("negative", "positive")[i % 2]) for i in range(30)]
    splits = make_splits(make_dataset(rows), wider, **SIZES)
    assert splits.test.labels == ("negative", "neutral", "positive")
    assert "test: no example of neutral" in splits.test.notes


def test_tasks_of_test_and_training_data_must_agree(make_dataset):
    qa = Dataset("qa", TASKS[TaskKind.OPEN_QA], (), (), "test", "")
    with pytest.raises(DataError, match="'qa' is open-qa, 'toy' is classification"):
        make_splits(toy(make_dataset), qa, **SIZES)


@pytest.mark.parametrize(
    "wrong", [{"limit": 0}, {"train_size": -1}, {"pool_size": -1}, {"dev_share": 1.0}]
)
def test_impossible_sizes_are_refused(make_dataset, wrong):
    with pytest.raises(DataError):
        make_splits(toy(make_dataset), None, **{**SIZES, **wrong})


def test_answers_are_split_without_balance():
    task = TASKS[TaskKind.MATH]
    examples = tuple(
        Example(f"q{i}", {"question": f"{i}+1?"}, (str(i + 1),), f"q{i}") for i in range(50)
    )
    splits = make_splits(Dataset("sums", task, (), examples, "test", ""), None, **SIZES)
    assert len(splits.test.examples) == 20
    assert splits.summary["label_counts"]["test"] == {}
    assert splits.test.population == "sums: draw of 20 from 50 (seed 0)"


# --- what counts as the same ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("A fine film!", "a  fine\tFILM", True),
        ("ﬁne ｆｉｌｍ", "fine film", True),
        ("Straße", "STRASSE", True),
        ("“fine”—film…", "fine film", False),
        ("“fine” film…", "fine film", True),
        ("great :)", "great :(", True),
        (":)", ":(", False),
        ("😀", "😢", False),
        ("good 😀", "good 😢", False),
        ("", " \n", True),
        ("C++", "C", False),
    ],
)
def test_case_width_punctuation_and_spaces_do_not_tell_texts_apart(one, other, same):
    assert (normalised(one) == normalised(other)) is same


def test_texts_of_only_emoji_are_different_texts(make_dataset):
    rows = [(chr(0x1F600 + i), "ab"[i % 2]) for i in range(20)]
    splits = make_splits(make_dataset(rows), None, limit=None, train_size=0, pool_size=0, seed=0)
    assert len(splits.test.examples) == 20
