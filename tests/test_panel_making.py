"""A panel measured, added to, and used by a run, from the library and from the command line."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from random import Random

import pytest

import robust_eval
from robust_eval import store
from robust_eval.audit import verify
from robust_eval.cli.entry import run_command
from robust_eval.errors import DataError, UsageError
from robust_eval.panel_making import make_panel
from robust_eval.panels import described, read_panel, write_panel
from robust_eval.records import Panel
from robust_eval.settings import Output, Settings

GOOD = ("lovely", "bright", "warm", "moving", "witty", "tender", "fresh", "rich")
BAD = ("dull", "grim", "stale", "clumsy", "hollow", "tired", "flat", "cold")
PLAIN = ("film", "story", "cast", "scene", "score", "plot", "night", "city", "voice", "road")


def texts(seed: int, n: int) -> str:
    """Reviews with two words of opinion, one in ten of the wrong kind, among plain ones."""
    draw = Random(seed)
    rows = ["text,label"]
    for i in range(n):
        label = ("negative", "positive")[i % 2]
        opinions = [
            draw.choice(GOOD if (label == "positive") == (draw.random() > 0.1) else BAD)
            for _ in range(2)
        ]
        words = [draw.choice(PLAIN) for _ in range(6)] + opinions
        draw.shuffle(words)
        rows.append(f"{' '.join(words)} {i},{label}")
    return "\n".join(rows) + "\n"


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("panel")
    (folder / "reviews.csv").write_text(texts(1, 700), encoding="utf-8")
    (folder / "other.csv").write_text(texts(2, 200), encoding="utf-8")
    return folder


def settings(data: Path, **changes: object) -> Settings:
    base = Settings(
        models=("bow",),
        dataset=str(data / "reviews.csv"),
        shifts=("ood:other", "keyboard-typos@3"),
        ood=(("other", str(data / "other.csv")),),
        limit=100,
        train_size=300,
        train_sizes=(8, 16, 64, 300),
        seeds=3,
    )
    return replace(base, **changes)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def panel(data: Path) -> Panel:
    return make_panel(settings(data), Output(cache_dir=str(data / "cache")), name="made here")


def test_a_panel_has_a_member_a_size_and_seed_and_the_same_model_once(panel: Panel) -> None:
    # With all 300 examples the seed changes nothing of a bag of words.
    sizes = [m.train_examples for m in panel.members]
    assert sorted(sizes) == [8, 8, 8, 16, 16, 16, 64, 64, 64, 300]
    assert {s.key: s.family for s in panel.shifts} == {
        "other": "domain",
        "keyboard-typos@3": "noise",
    }
    assert all(
        m.clean.n == 100 and set(m.shifted) == {"other", "keyboard-typos@3"} for m in panel.members
    )
    by_size = [max(m.clean.score for m in panel.members if m.train_examples == n) for n in (8, 300)]
    assert by_size[0] < by_size[1]
    assert "--train-size 8,16,64,300" in panel.made[0].command


def test_a_warm_panel_is_the_same_and_asks_nothing(data: Path, panel: Panel) -> None:
    again = make_panel(settings(data), Output(cache_dir=str(data / "cache")), name="made here")
    assert again == panel


def test_further_members_come_after_the_old_ones_on_the_same_examples_only(
    data: Path, panel: Panel
) -> None:
    output = Output(cache_dir=str(data / "cache"))
    wider = settings(data, train_sizes=(32, 300), seeds=1)
    more = make_panel(wider, output, more=panel)
    assert more.members[: len(panel.members)] == panel.members
    assert [m.train_examples for m in more.members[len(panel.members) :]] == [32]
    assert len(more.made) == 2
    with pytest.raises(DataError, match="very same examples"):
        make_panel(settings(data, limit=50), output, more=panel)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"models": ("scripted:oracle",)}, "is not trained here"),
        ({"shifts": ("adversarial",)}, "takes no model"),
        ({"shifts": ("prompt",)}, "not the same for every model"),
    ],
)
def test_what_cannot_stand_in_a_panel_is_refused(data: Path, changes: dict, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        make_panel(settings(data, **changes), Output(cache_dir=str(data / "cache")))


@pytest.fixture(scope="module")
def evaluation(data: Path, panel: Panel) -> robust_eval.Evaluation:
    return robust_eval.evaluate(
        "scripted:noisy?accuracy=0.9",
        baseline="bow",
        dataset=str(data / "reviews.csv"),
        shift=("ood:other", "keyboard-typos@3", "word-drops@3"),
        ood={"other": str(data / "other.csv")},
        limit=100,
        train_size=64,
        validity="off",
        panel=panel,
        out=data / "run",
        cache_dir=data / "cache",
    )


def test_a_run_on_the_same_data_gets_a_line_for_each_set_of_the_panel(
    evaluation: robust_eval.Evaluation, panel: Panel
) -> None:
    lines = evaluation.lines
    assert sorted(set(lines["set_key"])) == ["keyboard-typos@3", "other"]
    assert len(lines) == 4
    assert store.load(evaluation.folder).lines == evaluation.record.lines
    assert store.load(evaluation.folder).panel == panel
    page = evaluation.report.read_text(encoding="utf-8")
    assert 'id="reference-line"' in page


def test_verify_computes_the_lines_again_from_the_folder_and_from_the_page(
    evaluation: robust_eval.Evaluation, tmp_path: Path
) -> None:
    for path in (evaluation.folder, evaluation.report):
        found = verify(path)
        assert found.holds, found.findings
        assert "reference lines" in found.checked
    record = evaluation.record
    first = record.lines[0]
    forged = replace(
        record, lines=(replace(first, slope=(first.slope or 0) + 0.01), *record.lines[1:])
    )
    store.save(tmp_path, forged)
    assert any("slope" in f.where for f in verify(tmp_path).findings)


def test_a_finished_run_takes_another_panel_without_calling_a_model(
    data: Path, evaluation: robust_eval.Evaluation, panel: Panel, capsys: pytest.CaptureFixture[str]
) -> None:
    few = replace(panel, members=panel.members[:4], name="few")
    path = data / "few.json"
    write_panel(path, few)
    assert run_command(["report", str(evaluation.folder), "--panel", str(path)]) == 0
    record = store.load(evaluation.folder)
    assert all("4 members" in line.refusal for line in record.lines)
    page = evaluation.report.read_text(encoding="utf-8")
    assert "no reference line" in page
    assert run_command(["report", str(evaluation.folder), "--panel", "off"]) == 0
    assert store.load(evaluation.folder).panel is None
    assert run_command(["report", str(evaluation.folder), "--panel", str(data / "no.json")]) == 2
    assert "no panel file" in capsys.readouterr().err


def test_the_command_writes_shows_adds_and_does_not_overwrite(
    data: Path, panel: Panel, capsys: pytest.CaptureFixture[str]
) -> None:
    path = str(data / "made here.json")
    command = [
        "panel", path, "--baseline", "bow", "--dataset", str(data / "reviews.csv"), "--ood",
        f"other={data / 'other.csv'}", "--shift", "ood:other", "--shift", "keyboard-typos@3", "--limit", "100",
        "--train-size", "8,16,64,300", "--seeds", "3", "--cache-dir", str(data / "cache"),
    ]  # fmt: skip
    assert run_command(command) == 0
    assert "bow (64 examples), seed 2" in capsys.readouterr().out
    assert read_panel(Path(path)) == panel
    assert run_command(command) == 2
    assert "--add" in capsys.readouterr().err
    assert run_command(["panel", path]) == 0
    shown = capsys.readouterr().out
    assert "probit(shifted)" in shown
    assert sum(row.startswith("bow (") for row in shown.splitlines()) == 10
    assert run_command(["panel", path, "--baseline", "bow"]) == 2
    assert "--dataset" in capsys.readouterr().err


def test_the_python_api_makes_and_widens_the_same_panel(data: Path, panel: Panel) -> None:
    more = {
        "dataset": str(data / "reviews.csv"),
        "shift": ["ood:other", "keyboard-typos@3"],
        "ood": {"other": str(data / "other.csv")},
        "limit": 100,
        "cache_dir": data / "cache",
    }
    path = data / "made here again.json"
    first = robust_eval.make_panel("bow", train_size=[8, 16, 64, 300], seeds=3, out=path, **more)
    assert first.members == panel.members
    assert read_panel(path) == first
    wider = robust_eval.make_panel("bow", train_size=[32, 300], more=path, **more)
    assert len(wider.members) == len(first.members) + 1
    with pytest.raises(UsageError, match="did you mean 'seed'"):
        robust_eval.make_panel("bow", seedz=3, **more)


def test_over_several_shifts_a_panel_is_ranked(data: Path, panel: Panel) -> None:
    lines = described(panel)
    assert any(line.startswith("mean ranks over 2 shifts") for line in lines)
    one = replace(
        panel,
        shifts=panel.shifts[:1],
        members=tuple(replace(m, shifted={"other": m.shifted["other"]}) for m in panel.members),
    )
    assert not any("mean ranks" in line for line in described(one))


def test_the_terminal_says_how_far_each_model_is_off_the_line_or_why_there_is_none(
    data: Path, panel: Panel, capsys: pytest.CaptureFixture[str]
) -> None:
    path = data / "shown.json"
    command = [
        "--model", "scripted:oracle", "--baseline", "bow", "--dataset", str(data / "reviews.csv"), "--ood",
        f"other={data / 'other.csv'}", "--shift", "ood:other", "--limit", "100", "--train-size", "64",
        "--validity", "off", "--cache-dir", str(data / "cache"), "--panel", str(path), "--overwrite",
        "--out", str(data / "shown"),
    ]  # fmt: skip
    write_panel(path, panel)
    assert run_command(command) == 0
    shown = capsys.readouterr().out
    assert "effective robustness" in shown
    assert "over every member's" in shown
    write_panel(path, replace(panel, labels=("no", "yes")))
    assert run_command(command) == 0
    assert "no reference line: the panel has other labels" in capsys.readouterr().out
    for wrong in (str(data / "none.json"), "imdbb"):
        asked = [wrong if word == str(path) else word for word in command]
        for line in (asked, ["plan", *asked]):
            assert run_command(line) == 2
            assert "no panel file" in capsys.readouterr().err


def test_merged_shards_stand_against_the_panel_as_the_whole_run_does(
    data: Path, panel: Panel, tmp_path: Path
) -> None:
    path = data / "shared.json"
    write_panel(path, panel)
    shifts = {"one": ("ood:other",), "two": ("keyboard-typos@3",)}
    for name, chosen in (*shifts.items(), ("whole", sum(shifts.values(), ()))):
        command = [
            "--model", "scripted:noisy?accuracy=0.8", "--baseline", "bow", "--dataset", str(data / "reviews.csv"),
            "--ood", f"other={data / 'other.csv'}", "--limit", "100", "--train-size", "64", "--validity", "off",
            "--cache-dir", str(data / "cache"), "--panel", str(path), "--out", str(tmp_path / name),
        ]  # fmt: skip
        for shift in chosen:
            command += ["--shift", shift]
        assert run_command(command) == 0
    parts = [str(tmp_path / name) for name in shifts]
    assert run_command(["merge", *parts, "--out", str(tmp_path / "both")]) == 0
    whole, both = (store.load(tmp_path / name) for name in ("whole", "both"))
    assert len(whole.lines) == 2
    assert both.lines == whole.lines
    assert verify(tmp_path / "both").holds


def test_finished_runs_give_members_without_training(
    data: Path, panel: Panel, evaluation: robust_eval.Evaluation, capsys: pytest.CaptureFixture[str]
) -> None:
    path = data / "of runs.json"
    run = str(evaluation.folder)
    assert run_command(["panel", str(path), "--from", run]) == 0
    capsys.readouterr()
    made = read_panel(path)
    assert [m.spec for m in made.members] == ["bow"]  # a scripted model is none of a panel
    assert {s.key for s in made.shifts} == {"other", "keyboard-typos@3", "word-drops@3"}
    gap = next(g for g in evaluation.record.gaps if g.model == "bow" and g.set_key == "other")
    assert made.members[0].clean.score == gap.clean.value
    assert made.members[0].shifted["other"].score == gap.shifted.value
    assert run in made.made[0].command
    write_panel(path, panel)
    assert run_command(["panel", str(path), "--from", run, "--add"]) == 0
    wider = read_panel(path)
    assert wider.members[: len(panel.members)] == panel.members
    # The run trained on all of 64 examples that it drew, the panel on 64 of 300: another model.
    assert [m.name for m in wider.members[len(panel.members) :]] == [
        "bow (64 examples), seed 0, on 100"
    ]
    assert run_command(["panel", str(path), "--from", run, "--add"]) == 0
    assert read_panel(path).members == wider.members  # the same model once
    write_panel(path, replace(panel, labels=("no", "yes")))
    assert run_command(["panel", str(path), "--from", run, "--add"]) == 2
    assert "is about other labels" in capsys.readouterr().err
    assert run_command(["panel", str(path), "--from", run, "--baseline", "bow", "--add"]) == 2
    assert run_command(["panel", str(path), "--from", str(data), "--overwrite"]) == 2
