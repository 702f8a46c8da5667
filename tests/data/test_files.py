import gzip
import hashlib
import json
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from robust_eval.data import load, read_rows
from robust_eval.data import source as limits
from robust_eval.errors import DataError

CSV = "text,label\nfine film,positive\ndull film,negative\n"


def contents(dataset):
    return [(example.inputs["text"], example.target) for example in dataset.examples]


FINE = [("fine film", "positive"), ("dull film", "negative")]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.csv", CSV),
        ("a.tsv", CSV.replace(",", "\t")),
        (
            "a.jsonl",
            '{"text":"fine film","label":"positive"}\n\n{"text":"dull film","label":"negative"}',
        ),
        (
            "a.ndjson",
            '{"text":"fine film","label":"positive"}\r\n{"text":"dull film","label":"negative"}\r\n',
        ),
    ],
)
@pytest.mark.parametrize("packed", [False, True])
def test_every_text_kind_gives_the_same_examples_and_fingerprint(tmp_path, name, text, packed):
    path = tmp_path / (name + ".gz" if packed else name)
    path.write_bytes(gzip.compress(text.encode()) if packed else text.encode())
    plain = tmp_path / "plain.csv"
    plain.write_text(CSV)
    dataset = load(str(path))
    assert contents(dataset) == FINE
    assert dataset.name == "a"
    assert dataset.revision == f"sha256:{hashlib.sha256(path.read_bytes()).hexdigest()}"
    assert dataset.fingerprint == load(str(plain)).fingerprint


def test_parquet_gives_the_same_examples_and_reads_class_names(tmp_path):
    import pyarrow as pa
    import pyarrow.parquet as pq

    table = pa.table({"text": ["fine film", "dull film"], "label": ["positive", "negative"]})
    pq.write_table(table, tmp_path / "a.parquet")
    assert contents(load(str(tmp_path / "a.parquet"))) == FINE
    features = {"info": {"features": {"label": {"names": ["negative", "positive"]}}}}
    named = pa.table({"text": ["fine film", "dull film"], "label": [1, 0]}).replace_schema_metadata(
        {"huggingface": json.dumps(features)}
    )
    pq.write_table(named, tmp_path / "b.parquet")
    assert contents(load(str(tmp_path / "b.parquet"))) == FINE


def test_byte_order_mark_and_mixed_line_ends_are_not_text(tmp_path):
    path = tmp_path / "a.csv"
    path.write_bytes(b"\xef\xbb\xbftext,label\r\nfine film,positive\ndull film,negative\r\n")
    assert contents(load(str(path))) == FINE


def test_quoted_fields_keep_separators_quotes_and_line_ends(tmp_path):
    path = tmp_path / "a.csv"
    path.write_bytes(b'text,label\n"one, ""two""\nthree",x\nplain,y\n')
    assert contents(load(str(path)))[0] == ('one, "two"\nthree', "x")


def test_quotes_in_tsv_are_part_of_the_text(tmp_path):
    path = tmp_path / "a.tsv"
    path.write_text('text\tlabel\n"Brilliant" it is\tx\n"unclosed\ty\n')
    assert [text for text, _ in contents(load(str(path)))] == ['"Brilliant" it is', '"unclosed']


def test_fields_longer_than_the_csv_modules_own_limit_are_read(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text(f"text,label\n{'long ' * 1_000_000},x\nshort,y\n")  # 5 MB
    assert len(load(str(path)).examples[0].inputs["text"]) == 5_000_000


def test_a_text_over_the_cap_is_refused_with_its_line(write_json, monkeypatch):
    monkeypatch.setattr("robust_eval.data.values.MAX_TEXT", 100)
    path = write_json([{"text": "ok", "label": "a"}, {"text": "x" * 101, "label": "b"}])
    with pytest.raises(DataError, match=r"line 2: a text of 101 characters; at most 100"):
        load(path)


def test_a_gzip_bomb_is_stopped(tmp_path, monkeypatch):
    monkeypatch.setattr("robust_eval.data.files.MAX_LINE", 1_000)
    monkeypatch.setattr("robust_eval.data.files.MAX_FILE", 5_000)
    path = tmp_path / "a.jsonl.gz"
    path.write_bytes(gzip.compress(b" " * 10_000))
    with pytest.raises(DataError, match="line 1: longer than 1,000 characters"):
        load(str(path))
    path.write_bytes(gzip.compress((b" " * 900 + b"\n") * 10))
    with pytest.raises(DataError, match="more than 5,000 characters"):
        load(str(path))


def test_caps_allow_a_five_megabyte_text_of_json_escapes():
    assert limits.MAX_TEXT >= 5_000_000
    assert limits.MAX_LINE >= 6 * 5_000_000


HOSTILE = {
    "latin-1 byte": (
        "a.csv",
        CSV.encode() + b"caf\xe9,x\n",
        r"line 4: byte 0xe9 at offset 52 is not utf-8",
    ),
    "utf-16": ("a.csv", CSV.encode("utf-16"), "--encoding utf-16"),
    "cut in a character": ("a.csv", CSV.encode() + "é".encode()[:1], "line 4: byte 0xc3"),
    "NUL": ("a.csv", CSV.encode() + b"a\0b,x\n", "line 4: NUL byte"),
    "unclosed quote": ("a.csv", CSV.encode() + b'"never,x\n', "line 4: unexpected end of data"),
    "too many fields": (
        "a.csv",
        CSV.encode() + b"one, two,x\n",
        "line 4: 3 fields, but the header has 2",
    ),
    "too few fields": ("a.csv", CSV.encode() + b"one\n", "line 4: 1 fields"),
    "column twice": ("a.csv", b"text,text,label\na,b,c\n", "column 'text' appears twice"),
    "semicolons": ("a.csv", b"text;label\na;b\n", "separated by semicolons"),
    "no bytes": ("a.csv", b"", "empty"),
    "header only": ("a.csv", b"text,label\n", "empty"),
    "cut gzip": ("a.csv.gz", gzip.compress(CSV.encode() * 999)[:-20], "damaged or cut-off gzip"),
    "not gzip": ("a.csv.gz", CSV.encode(), "damaged or cut-off gzip"),
    "not JSON": ("a.jsonl", b'{"text":"a","label":"b"}\n{"text":\n', "line 2: not JSON"),
    "JSON list": ("a.json", b'[{"text":"a"}]', "line 1: a list, not an object"),
    "JSON number": ("a.jsonl", b"17\n", "line 1: a int, not an object"),
    "deep JSON": ("a.jsonl", b"[" * 200_000 + b"\n", "line 1: not JSON|line 1: a list"),
    "no columns in common": ("a.jsonl", b'{"x":1}\n', "no task fits the columns x"),
    "column later missing": (
        "a.jsonl",
        b'{"text":"a","label":"b"}\n{"text":"c"}\n',
        "line 2: no 'label'",
    ),
    "not Parquet": ("a.parquet", b"PAR1 no", "not a readable Parquet file"),
    "packed Parquet": ("a.parquet.gz", b"", "compressed inside"),
    "unknown kind": ("a.cvs", b"", "did you mean '.csv'"),
    "no kind": ("a", b"", "cannot tell what kind of file"),
}


@pytest.mark.parametrize("case", HOSTILE)
def test_malformed_files_end_in_one_line_with_place_and_remedy(tmp_path, case):
    name, content, message = HOSTILE[case]
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(DataError, match=message) as caught:
        load(str(path))
    assert "\n" not in str(caught.value)


def test_other_encodings_are_read_when_named(tmp_path):
    path = tmp_path / "a.csv"
    path.write_bytes("text,label\ncafé,x\nthé,y\n".encode("latin-1"))
    assert load(str(path), encoding="latin-1").examples[0].inputs["text"] == "café"
    path.write_bytes(CSV.encode("utf-16"))
    assert contents(load(str(path), encoding="utf-16")) == FINE
    with pytest.raises(DataError, match="unknown encoding 'utf-99'"):
        load(str(path), encoding="utf-99")


def test_only_regular_files_are_read(tmp_path):
    import os

    os.mkfifo(tmp_path / "a.csv")
    with pytest.raises(DataError, match="not a regular file"):
        load(str(tmp_path / "a.csv"))


def test_rows_are_read_as_they_are_asked_for(tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_bytes(b'{"text":"first"}\nnot JSON\n')
    rows = read_rows(path)
    assert next(rows).values == {"text": "first"}
    with pytest.raises(DataError, match="line 2"):
        next(rows)


@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=200, deadline=None
)
@given(
    content=st.binary(max_size=300),
    kind=st.sampled_from(["csv", "tsv", "jsonl", "csv.gz", "parquet"]),
)
def test_no_bytes_raise_anything_but_a_data_error(tmp_path: Path, content, kind):
    path = tmp_path / f"fuzz.{kind}"
    path.write_bytes(content)
    assert "\n" not in message_of_loading(path)


def message_of_loading(path):
    try:
        load(str(path))
    except DataError as error:
        return str(error)
    return ""
