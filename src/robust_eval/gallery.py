"""The page of perturbations at work: `robust-eval gallery --out gallery.html`, on texts of one's own with `--texts FILE`."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from robust_eval.errors import DataError, RecipeError, did_you_mean
from robust_eval.perturb import REGISTRY
from robust_eval.perturb.draws import SEVERITIES, Rated
from robust_eval.perturb.gallery import GROUPS, SEED, SENTENCES, AtWork, at_work, rates_of
from robust_eval.perturb.registry import parameters_of
from robust_eval.report.gallery_page import Exhibit, Shown, Specimen, render_gallery

MOST_TEXTS: Final = 20
MOST_BYTES: Final = 200_000


def gallery(names: Sequence[str] = (), texts: Sequence[str] | None = None, seed: int = SEED) -> str:
    """The page, as HTML, of these native perturbations (all of them by default) on these texts.

    Raises RecipeError for an unknown name.
    """
    for name in names:
        if name not in REGISTRY:
            raise RecipeError(
                f"no native perturbation {name!r}{did_you_mean(name, REGISTRY)}; "
                "`robust-eval list perturbations` shows them"
            )
    wanted = set(names) or set(REGISTRY)
    exhibits = [
        _exhibit(kind, title, SENTENCES if texts is None else texts, seed)
        for group, title in GROUPS.items()
        for kind in REGISTRY.values()
        if kind.group == group and kind.name in wanted
    ]
    where = "the project's own sentences and two from novels" if texts is None else "given texts"
    return render_gallery(exhibits, about=f"{where} · seed {seed}")


def read_texts(path: Path) -> tuple[str, ...]:
    """The texts of a file, one a line, empty lines left out. Raises DataError."""
    try:
        with path.open("rb") as file:
            content = file.read(MOST_BYTES + 1)
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror or error}") from error
    if len(content) > MOST_BYTES:
        raise DataError(f"{path} has over {MOST_BYTES:,} bytes; give a file of a few texts")
    try:
        lines = content.decode("utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        raise DataError(f"{path} is not UTF-8 (byte {error.start}); save it as UTF-8") from error
    texts = tuple(line.strip() for line in lines if line.strip())
    if not texts:
        raise DataError(f"{path} holds no text; write one a line")
    if len(texts) > MOST_TEXTS:
        raise DataError(f"{path} holds {len(texts):,} texts; a gallery shows at most {MOST_TEXTS}")
    return texts


def _exhibit(kind: type[Rated], title: str, texts: Sequence[str], seed: int) -> Exhibit:
    description, _, source = inspect.cleandoc(kind.__doc__ or "").partition("Source: ")
    return Exhibit(
        name=kind.name,
        group=title,
        family=kind.family,
        rates=rates_of(kind),
        unit=kind.unit,
        description=tuple(_paragraphs(description)),
        source=" ".join(source.split()),
        parameters=tuple(
            f"Parameter {name} ({type_.__name__}, default {getattr(kind(), name)})"
            + (f": {', '.join(kind.CHOICES[name])}" if name in kind.CHOICES else "")
            for name, type_ in parameters_of(kind).items()
        ),
        nests=kind.nests,
        specimens=tuple(map(_specimen, at_work(kind, texts, seed))),
    )


def _paragraphs(text: str) -> list[str]:
    return [" ".join(part.split()) for part in text.split("\n\n") if part.strip()]


def _specimen(work: AtWork) -> Specimen:
    shown = (
        Shown(severity, text, edit_rate)
        for severity, (text, edit_rate) in zip(SEVERITIES, work.after, strict=True)
    )
    note = f"Context of the question: {work.note}" if work.note else ""
    return Specimen(work.before, tuple(shown), note)
