"""The prediction cache: exact, private, shared, and never trusting."""

from __future__ import annotations

import dataclasses
import json
import math
import os
import shutil
import sqlite3
import stat
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from robust_eval.errors import InfrastructureError
from robust_eval.models.answers import decode, encode, prediction_key
from robust_eval.models.cache import FILE, PredictionCache, cache_folder
from robust_eval.records import Example, Prediction, Status

LABELS = ("negative", "positive")
ANSWER = Prediction("", label="positive", label_logprobs=(-2.3, -0.1), scores=(-2.3, -0.105))


def item(text: str = "a film", **changes: object) -> Example:
    return dataclasses.replace(Example("e1", {"text": text}, "positive", "e1"), **changes)  # type: ignore[arg-type]


finite = st.floats(max_value=0.0, allow_nan=False, allow_infinity=False)


@given(finite, finite, st.text(), st.booleans())
def test_answers_come_back_bit_for_bit(a: float, b: float, raw: str, cut: bool) -> None:
    answer = Prediction(
        "", "positive", label_logprobs=(a, b), scores=(b, a), raw=raw, input_truncated=cut
    )
    read = decode(encode(answer), LABELS)
    assert read == answer
    assert read is not None
    assert read.scores is not None
    assert [x.hex() for x in read.scores] == [b.hex(), a.hex()]


def test_lone_surrogates_survive_the_cache(tmp_path: Path) -> None:
    answer = dataclasses.replace(ANSWER, raw="\ud800 film")
    key = prediction_key("f", item("\ud800"))
    with PredictionCache.open(tmp_path) as cache:
        cache.store({key: answer})
        assert cache.lookup([key], LABELS) == {key: answer}


def test_the_key_tells_everything_apart_that_may_change_an_answer() -> None:
    one = item()
    keys = [
        prediction_key("f", one),
        prediction_key("g", one),
        prediction_key("f", item("a film ")),
        prediction_key("f", item(inputs={"premise": "a film"})),
        prediction_key("f", one, repeat=1),
        prediction_key("f", one, set_key="clean"),
        prediction_key("f", one, set_key="typos@3"),
        prediction_key("f", item(id="e2"), set_key="clean"),
        prediction_key("f", item(target="negative"), set_key="clean"),
    ]
    assert len(set(keys)) == len(keys)
    assert prediction_key("f", item(id="e2", target="negative")) == keys[0]


def test_the_order_of_fields_is_no_part_of_the_key() -> None:
    one = item(inputs={"premise": "a", "hypothesis": "b"})
    other = item(inputs={"hypothesis": "b", "premise": "a"})
    assert prediction_key("f", one) == prediction_key("f", other)


def test_failed_answers_are_not_kept(tmp_path: Path) -> None:
    with PredictionCache.open(tmp_path) as cache:
        cache.store({b"k": Prediction("", status=Status.FAILED, raw="timeout")})
        assert cache.lookup([b"k"]) == {}
        assert cache.stored == 0


def test_the_file_and_its_companions_are_private(tmp_path: Path) -> None:
    old = os.umask(0o000)
    try:
        with PredictionCache.open(tmp_path / "new") as cache:
            cache.store({b"k": ANSWER})
            modes = {stat.S_IMODE(p.stat().st_mode) for p in (tmp_path / "new").iterdir()}
    finally:
        os.umask(old)
    assert modes == {0o600}
    assert stat.S_IMODE((tmp_path / "new").stat().st_mode) == 0o700


def test_the_first_answer_stays_and_two_runs_share_one_cache(tmp_path: Path) -> None:
    with PredictionCache.open(tmp_path) as one, PredictionCache.open(tmp_path) as two:
        one.store({b"k": ANSWER})
        two.store({b"k": dataclasses.replace(ANSWER, label="negative"), b"l": ANSWER})
        assert one.lookup([b"k", b"l", b"m"], LABELS) == {b"k": ANSWER, b"l": ANSWER}
        assert (one.stored, two.stored) == (1, 1)


def test_answers_of_one_run_are_gone_after_it(tmp_path: Path) -> None:
    with PredictionCache.open(tmp_path) as cache:
        cache.store({b"k": ANSWER}, lasting=False)
        assert cache.lookup([b"k"], LABELS) == {b"k": ANSWER}
    with PredictionCache.open(tmp_path) as cache:
        assert cache.lookup([b"k"], LABELS) == {}


def test_more_keys_than_one_query_takes_are_found(tmp_path: Path) -> None:
    keys = [prediction_key("f", item(str(i))) for i in range(1234)]
    with PredictionCache.open(tmp_path) as cache:
        cache.store(dict.fromkeys(keys[:-1], ANSWER))
        found = cache.lookup(keys, LABELS)
    assert set(found) == set(keys[:-1])


SOUND = json.loads(encode(ANSWER))


@pytest.mark.parametrize(
    "value",
    [
        "",
        "null",
        "[]",
        "{}",
        "\x80\x04\x95",
        "[" * 100_000,
        b"bytes",
        7,
        json.dumps(SOUND | {"label": "wonderful"}),
        json.dumps(SOUND | {"label": ["positive"]}),
        json.dumps(SOUND | {"label": None}),
        json.dumps(SOUND | {"scores": [-0.1]}),
        json.dumps(SOUND | {"scores": [-0.1, math.nan]}),
        json.dumps(SOUND | {"scores": [3.0, -0.1]}),
        json.dumps(SOUND | {"scores": [True, -0.1]}),
        json.dumps(SOUND | {"scores": ["-0.1", -0.1]}),
        json.dumps(SOUND | {"label_logprobs": [-1, math.inf]}),
        json.dumps(SOUND | {"status": "failed"}),
        json.dumps(SOUND | {"status": "excellent"}),
        json.dumps(SOUND | {"input_truncated": "no"}),
        json.dumps(SOUND | {"more": 1}),
        json.dumps(SOUND | {"raw": "x" * 1_000_001}),
    ],
)
def test_a_hostile_value_is_a_miss_and_is_replaced(tmp_path: Path, value: object) -> None:
    with PredictionCache.open(tmp_path) as cache:
        cache.store({b"k": ANSWER})
    with sqlite3.connect(tmp_path / FILE) as raw:
        raw.execute("UPDATE answers SET answer = ?", (value,))
    raw.close()
    with PredictionCache.open(tmp_path) as cache:
        assert cache.lookup([b"k"], LABELS) == {}
        cache.store({b"k": ANSWER}, labels=LABELS)
        assert cache.lookup([b"k"], LABELS) == {b"k": ANSWER}


def foreign_database(path: Path) -> None:
    with sqlite3.connect(path) as other:
        other.execute("CREATE TABLE bookmarks (url TEXT)")
    other.close()


def other_layout(path: Path) -> None:
    PredictionCache.open(path.parent).close()
    with sqlite3.connect(path) as ours:
        ours.execute("CREATE TRIGGER t AFTER INSERT ON answers BEGIN DELETE FROM answers; END")
    ours.close()


def plain_text(path: Path) -> None:
    path.write_text("this is not a database, and long enough to be taken for one\n" * 40)


def overwritten_pages(path: Path) -> None:
    with PredictionCache.open(path.parent) as cache:
        cache.store({bytes([i, j]) * 16: ANSWER for i in range(40) for j in range(40)})
    size = path.stat().st_size
    with path.open("r+b") as file:
        file.seek(4096)
        file.write(os.urandom(size - 4096))


@pytest.mark.parametrize("spoil", [foreign_database, other_layout, plain_text, overwritten_pages])
def test_a_damaged_or_foreign_cache_is_set_aside_and_a_fresh_one_used(
    tmp_path: Path, spoil: object, caplog: pytest.LogCaptureFixture
) -> None:
    spoil(tmp_path / FILE)  # type: ignore[operator]
    before = (tmp_path / FILE).read_bytes()
    with PredictionCache.open(tmp_path) as cache:
        assert cache.lookup([bytes([i, 1]) * 16 for i in range(40)], LABELS) == {}
        cache.store({b"k": ANSWER})
        assert cache.lookup([b"k"], LABELS) == {b"k": ANSWER}
        assert len(cache.notes) == 1
    assert (tmp_path / f"{FILE}.corrupt-1").read_bytes() == before
    assert "set aside" in caplog.text


def test_damage_found_while_storing_loses_nothing_of_the_batch(tmp_path: Path) -> None:
    with PredictionCache.open(tmp_path) as cache:
        cache.store({bytes([i]) * 32: ANSWER for i in range(200)})
    overwritten_pages(tmp_path / FILE)
    with PredictionCache.open(tmp_path) as cache:
        cache.store({b"k": ANSWER})
        assert cache.lookup([b"k"], LABELS) == {b"k": ANSWER}


def test_a_second_damaged_cache_gets_the_next_number(tmp_path: Path) -> None:
    for number in (1, 2):
        plain_text(tmp_path / FILE)
        PredictionCache.open(tmp_path).close()
        assert (tmp_path / f"{FILE}.corrupt-{number}").exists()


def test_a_locked_cache_says_so_after_waiting(tmp_path: Path) -> None:
    cache = PredictionCache.open(tmp_path, busy_seconds=0.05)
    cache.store({b"j": ANSWER})
    other = sqlite3.connect(tmp_path / FILE, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    try:
        with pytest.raises(InfrastructureError, match=r"locked by another process.*1 answers"):
            cache.store({b"k": ANSWER})
    finally:
        other.execute("ROLLBACK")
        other.close()
    cache.store({b"k": ANSWER})
    cache.close()


def test_a_folder_that_cannot_be_made_names_the_remedy(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InfrastructureError, match="--cache-dir or ROBUST_EVAL_CACHE"):
        PredictionCache.open(tmp_path / "file" / "cache")


def test_a_folder_under_the_cache_name_is_no_crash(tmp_path: Path) -> None:
    (tmp_path / FILE).mkdir()
    with pytest.raises(InfrastructureError, match="cannot open the cache"):
        PredictionCache.open(tmp_path)


def test_a_read_only_cache_says_so(tmp_path: Path) -> None:
    with PredictionCache.open(tmp_path) as cache:
        cache._connection.execute("PRAGMA query_only=ON")  # what a read-only disk does
        with pytest.raises(InfrastructureError, match="readonly"):
            cache.store({b"k": ANSWER})


def test_a_full_disk_keeps_what_was_stored_and_the_file_stays_sound(tmp_path: Path) -> None:
    script = textwrap.dedent(
        """
        import resource, sys
        from pathlib import Path
        from robust_eval.errors import InfrastructureError
        from robust_eval.models.cache import PredictionCache
        from robust_eval.records import Prediction
        cache = PredictionCache.open(Path(sys.argv[1]))
        resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, 300_000))
        try:
            for i in range(10_000):
                cache.store({b"%d" % i: Prediction("", label="positive", raw="x" * 2000)})
        except InfrastructureError as error:
            print(cache.stored, error)
        """
    )
    done = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path)], capture_output=True, text=True, check=True
    )
    stored, _, message = done.stdout.partition(" ")
    assert "no space left" in message
    assert f"{int(stored):,} answers of this run are kept" in message
    with PredictionCache.open(tmp_path) as cache:
        found = cache.lookup([b"%d" % i for i in range(10_000)])
        assert len(found) == int(stored) >= 10
        assert cache.notes == []


def test_a_copy_taken_between_batches_is_a_sound_cache(tmp_path: Path) -> None:
    with PredictionCache.open(tmp_path / "one") as cache:
        cache.store({b"k": ANSWER})
        shutil.copytree(tmp_path / "one", tmp_path / "two")
    with PredictionCache.open(tmp_path / "two") as copy:
        assert copy.lookup([b"k"], LABELS) == {b"k": ANSWER}


def test_many_processes_fill_one_fresh_cache(tmp_path: Path) -> None:
    script = (
        "import sys; from pathlib import Path; from robust_eval.models.cache import PredictionCache;"
        "from robust_eval.records import Prediction; c = PredictionCache.open(Path(sys.argv[1]));"
        "[c.store({f'{i}'.encode(): Prediction('', label=sys.argv[2])}) for i in range(50)];"
        "assert c.notes == []"
    )
    workers = [
        subprocess.Popen([sys.executable, "-c", script, str(tmp_path), str(n)]) for n in range(4)
    ]
    assert [worker.wait() for worker in workers] == [0, 0, 0, 0]
    with PredictionCache.open(tmp_path) as cache:
        assert len(cache.lookup(f"{i}".encode() for i in range(50))) == 50


def test_the_cache_folder_is_given_named_or_the_platforms(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("ROBUST_EVAL_CACHE", str(tmp_path / "named"))
    assert cache_folder(str(tmp_path / "given")) == tmp_path / "given"
    assert cache_folder() == tmp_path / "named"
    monkeypatch.delenv("ROBUST_EVAL_CACHE")
    assert cache_folder().name == "robust-eval"
