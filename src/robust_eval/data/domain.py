"""Natural shifts of an ID set, drawn by the catalog's rule and given the ID set's labels."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from robust_eval import rng
from robust_eval.data.draws import balanced_order, describe_counts, label_counts
from robust_eval.data.duplicates import Key, key_of, normalised
from robust_eval.data.examples import Loaded, read_examples
from robust_eval.data.fingerprint import fingerprint
from robust_eval.data.loading import open_source
from robust_eval.data.pairings import BY_NAME, PAIRINGS, OodSet
from robust_eval.data.source import Reading, Source
from robust_eval.errors import DataError, did_you_mean
from robust_eval.records import Dataset, Example

PAIRED, ADVERSARIAL = "paired:", "adversarial:"


def ood_sets(
    dataset_name: str,
    overrides: Mapping[str, str] | None = None,
    reading: Reading | None = None,
) -> tuple[OodSet, ...]:
    """The natural shifts of an ID set: the catalog's, then those of `overrides`.

    An override (`--ood NAME=SPEC`) replaces the catalog's set of that name, its rule for lengths included, or adds a new
    one; it is read as the ID set is (`reading`). Under a name of the catalog it keeps what the catalog knows: licence, paper,
    label names (unless `reading` has some), whether it is paired and whether it is adversarial. A spec that begins with `paired:` holds edited copies
    of ID examples, named by `source_id`; one that begins with `adversarial:` (or both) was made to fool models. Those without a spec are known and must be given.
    The name may be the spec (`demo:imdb`, `sst2#validation`). Empty when nothing is known or given.
    """
    name = dataset_name.removeprefix("demo:").partition("#")[0]
    reading = reading or Reading()
    sets = {ood.name: ood for ood in PAIRINGS.get(name, ())}
    for given, spec in (overrides or {}).items():
        marks: set[str] = set()
        while mark := next((m for m in (PAIRED, ADVERSARIAL) if spec.startswith(m)), None):
            marks.add(mark)
            spec = spec.removeprefix(mark)
        if not given.strip() or not spec.strip():
            raise DataError(
                f"--ood {given}={overrides[given] if overrides else spec}: a name and a data spec are needed"
            )
        known = sets.get(given) or BY_NAME.get(given)
        sets[given] = OodSet(
            name=given,
            spec=spec,
            title=known.title if known else "",
            paired=PAIRED in marks or (known is not None and known.paired),
            columns=reading.columns,
            label_map=reading.label_map or (known.label_map if known else {}),
            encoding=reading.encoding,
            given=True,
            licence=known.licence if known else "as its owner states",
            paper=known.paper if known else "",
            adversarial=ADVERSARIAL in marks or (known is not None and known.adversarial),
        )
    return tuple(sets.values())


def load_ood(
    ood: OodSet,
    dataset: Dataset,
    *,
    limit: int | None,
    seed: int,
    exclude: Iterable[Example | str] = (),
) -> Dataset:
    """A natural shift with the ID set's task and labels: a class-balanced draw of `limit`, or all.

    `exclude` are training, held-out and demonstration examples (or texts): what says the same as one of them is
    left out. Classes that are missing are noted. A paired set has the ids of the ID examples it belongs to,
    one each, and only those.

    Raises: DataError for a label that the ID set does not have, and when nothing is left.
    """
    if not ood.spec:
        raise DataError(
            f"'{ood.name}' is known, but no revision of it could be verified; give your copy with "
            f"--ood {ood.name}=FILE or --ood {ood.name}=hub:ID@REV ({ood.where})"
        )
    source = open_source(ood.spec, encoding=ood.encoding)
    columns, label_map = (
        _as_given(ood, dataset, source) if ood.given else (ood.columns, ood.label_map)
    )
    loaded = read_examples(
        source,
        task=dataset.task.kind,
        columns=columns,
        label_map=label_map,
        keep=_rule(ood.max_characters),
    )
    _check_labels(ood, dataset, loaded)
    seen, seen_texts = _excluded(dataset, exclude)
    notes = list(loaded.notes)
    candidates: Sequence[Example] = loaded.examples
    if ood.paired:
        candidates = _matched(ood, dataset, candidates, seed, notes)
    order = balanced_order(
        candidates, labelled=dataset.task.has_labels, seed=seed, purpose=f"ood:{ood.name}"
    )
    wanted = len(order) if limit is None else limit
    drawn, repeated, known = _first_unique(dataset, order, wanted, seen, seen_texts, ood.paired)
    if not drawn:
        raise DataError(f"'{ood.name}' ({ood.spec}): no example is left to test on")
    notes += _notes(ood, dataset, drawn, limit, repeated, known)
    return replace(
        dataset,
        name=ood.name,
        examples=tuple(drawn),
        revision=source.revision(),
        fingerprint=fingerprint(dataset.task, dataset.labels, drawn),
        population=_population(ood, source, loaded, len(drawn), dataset.task.has_labels),
        notes=tuple(notes),
    )


def _as_given(
    ood: OodSet, dataset: Dataset, source: Source
) -> tuple[Mapping[str, str], Mapping[str, str]]:
    """The ID set's columns that this source has too, and its label map; ID labels stand for themselves.

    A user's out-of-domain file may use the ID file's names or ours already: both are meant.
    """
    first = next(source.rows(), None)
    columns = {f: c for f, c in ood.columns.items() if first is None or c in first.values}
    known = BY_NAME.get(ood.name)
    of_catalog = known is not None and ood.label_map == known.label_map
    foreign = not set(ood.label_map.values()) & set(
        dataset.labels
    )  # the name means another task there
    if not ood.label_map or (of_catalog and foreign):
        return columns, {}
    return columns, {label: label for label in dataset.labels} | dict(ood.label_map)


class _Rule:
    def __init__(self, longest: int) -> None:
        self.longest = longest

    def __call__(self, inputs: Mapping[str, str]) -> bool:
        return all(len(text) <= self.longest for text in inputs.values())


def _rule(longest: int | None) -> _Rule | None:
    return None if longest is None else _Rule(longest)


def _check_labels(ood: OodSet, dataset: Dataset, loaded: Loaded) -> None:
    if not loaded.examples:
        raise DataError(f"'{ood.name}' ({ood.spec}): no text is short enough for its rule")
    if not dataset.task.has_labels:
        return
    for label in label_counts(loaded.examples):
        if label not in dataset.labels:
            raise DataError(
                f"'{ood.name}' ({ood.spec}): label '{label}' is not one of '{dataset.name}'"
                f"{did_you_mean(label, dataset.labels)}; rename it in the file to one of"
                f" {', '.join(dataset.labels)}, or take such rows out"
            )


def _excluded(dataset: Dataset, exclude: Iterable[Example | str]) -> tuple[set[Key], set[str]]:
    keys: set[Key] = set()
    texts: set[str] = set()
    for item in exclude:
        if isinstance(item, str):
            texts.add(normalised(item))
        else:
            keys.add(key_of(dataset.task, item))
    return keys, texts


def _first_unique(
    dataset: Dataset,
    order: Sequence[Example],
    wanted: int,
    seen: set[Key],
    seen_texts: set[str],
    paired: bool,
) -> tuple[list[Example], int, int]:
    """The first `wanted` of the order that say something new; only as many are looked at as are needed."""
    drawn: list[Example] = []
    repeated = known = 0
    own: set[Key] = set()
    for example in order:
        if len(drawn) == wanted:
            break
        key = key_of(dataset.task, example)
        if key in seen or (seen_texts and not seen_texts.isdisjoint(key)):
            known += 1
        elif key in own and not paired:
            repeated += 1
        else:
            own.add(key)
            drawn.append(example)
    return drawn, repeated, known


def _matched(
    ood: OodSet, dataset: Dataset, candidates: Sequence[Example], seed: int, notes: list[str]
) -> list[Example]:
    """One edited copy of each ID example that has any, under the ID example's id."""
    originals = {example.id: example for example in dataset.examples}
    found: dict[str, list[Example]] = {}
    for candidate in candidates:
        original = originals.get(candidate.source_id)
        if original is not None and not (
            # the original itself, which contrast sets list beside its edits
            candidate.id == original.id and candidate.inputs == original.inputs
        ):
            found.setdefault(original.id, []).append(candidate)
    if not found:
        raise DataError(
            f"'{ood.name}' ({ood.spec}): no source_id is an id of '{dataset.name}'; name the column with"
            " the original's id source_id, or give the set without 'paired:' and under another name"
        )
    extra = sum(len(copies) - 1 for copies in found.values())
    if extra:
        notes.append(f"further edits of the same original left out: {extra:,}")
    matched = []
    for original_id, copies in found.items():
        first = min(copies, key=lambda copy: (rng.digest(seed, "edit", copy.id, size=8), copy.id))
        meta = {**first.meta, "edited_id": first.id}
        matched.append(
            replace(first, id=original_id, source_id=originals[original_id].source_id, meta=meta)
        )
    return matched


def _notes(
    ood: OodSet,
    dataset: Dataset,
    drawn: Sequence[Example],
    limit: int | None,
    repeated: int,
    known: int,
) -> list[str]:
    notes = []
    if known:
        notes.append(f"examples left out because training or demonstrations hold them: {known:,}")
    if repeated:
        notes.append(f"duplicates left out: {repeated:,}")
    if limit is not None and len(drawn) < limit:
        notes.append(f"{ood.name}: all {len(drawn):,} examples; {limit:,} were asked for")
    if dataset.task.has_labels:
        counts = label_counts(drawn)
        absent = [label for label in dataset.labels if label not in counts]
        if absent:
            notes.append(f"{ood.name}: no example of {', '.join(absent)}")
        if limit is not None and max(counts.values()) - min(counts.values()) > 1:
            notes.append(f"{ood.name}: not balanced ({describe_counts(drawn)})")
    return notes


def _population(ood: OodSet, source: Source, loaded: Loaded, drawn: int, labelled: bool) -> str:
    of = ood.title or source.name
    kept = len(loaded.examples)
    if ood.max_characters is not None:
        of += f" of at most {ood.max_characters:,} characters"
    of += f" ({kept:,} of {loaded.rows:,})" if kept < loaded.rows else f" ({kept:,})"
    if ood.paired:
        return f"{of}, paired with their originals: {drawn:,}"
    draw = "class-balanced draw" if labelled else "draw"
    return f"{of}, {draw} of {drawn:,}" if drawn < kept else f"{of}, all of them"
