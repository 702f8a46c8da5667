"""How well the label check separates edits that change the label from our own perturbations.

    ROBUST_EVAL_TEST_DATA=FOLDER python benchmarks/validity_auc.py > docs/benchmarks/validity_auc.md

Positives are pairs whose minimal edits people made to change the label (contrast sets, counterfactual revisions); negatives are
the same originals under our own perturbations, every one of a group in turn. The thresholds were set on the first 60 pairs of other
splits (imdb_contrast/dev, imdb_cad/dev, nli_cad/dev). AUC is the chance that an edit that changes the label is more suspicious
than a perturbed example; its interval is a bootstrap over originals, 1,000 draws.
"""

from __future__ import annotations

import gzip
import json
import os
import platform
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from scipy.stats import rankdata

from robust_eval.models.cache import cache_folder
from robust_eval.models.embedding import installed_encoder
from robust_eval.perturb import REGISTRY, make, perturb_example
from robust_eval.records import Example, Preservation, TaskKind
from robust_eval.validity import THRESHOLDS, preserved
from robust_eval.validity.words import words_of

PAIRS = 150
DRAWS = 1_000
SEVERITIES = (1, 3, 5)
EDITS = {
    "IMDB contrast set": ("imdb_contrast/test.jsonl.gz", ("text",)),
    "IMDB counterfactual": ("imdb_cad/test.jsonl.gz", ("text",)),
    "SNLI counterfactual": ("nli_cad/train.jsonl.gz", ("premise", "hypothesis")),
}
SCORES = {
    "suspicion": lambda check: check.suspicion,
    "edit rate": lambda check: check.edit_rate,
    "1 - similarity": lambda check: 1 - (check.similarity or 0.0),
}


def pairs_of(folder: Path, file: str, fields: Sequence[str]) -> list[tuple[Example, Example]]:
    """The first pairs of original and edit with different labels, one an original."""
    with gzip.open(folder / file, "rt", encoding="utf-8") as lines:
        rows = [json.loads(line) for line in lines]
    by_id = {row["id"]: row for row in rows}
    found: dict[str, tuple[Example, Example]] = {}
    for row in rows:
        original = by_id.get(row.get("original_id") or "")
        if original and original["label"] != row["label"]:
            made = [
                Example(original["id"], {f: r[f] for f in fields}, r["label"], original["id"])
                for r in (original, row)
            ]
            found.setdefault(original["id"], (made[0], made[1]))
    return list(found.values())[:PAIRS]


def auc(positive: np.ndarray, negative: np.ndarray) -> float:
    """The Mann-Whitney estimate, ties counted half."""
    ranks = rankdata(np.concatenate([positive, negative]))
    n = len(positive)
    return float((ranks[:n].sum() - n * (n + 1) / 2) / (n * len(negative)))


def with_interval(positive: np.ndarray, negative: np.ndarray, rng: np.random.Generator) -> str:
    """AUC with its interval; both arrays are of the same originals, in the same order."""
    n = len(positive)
    draws = [auc(positive[i], negative[i]) for i in (rng.integers(0, n, n) for _ in range(DRAWS))]
    low, high = np.quantile(draws, [0.025, 0.975])
    return f"{auc(positive, negative):.3f} ({low:.3f} to {high:.3f})"


def main() -> int:
    folder = os.environ.get("ROBUST_EVAL_TEST_DATA")
    encoder = installed_encoder(cache_folder(), "cpu")
    if not folder or encoder is None:
        print("needs ROBUST_EVAL_TEST_DATA and the MiniLM encoder", file=sys.stderr)
        return 2
    groups: dict[str, list[str]] = {}
    for kind in REGISTRY.values():
        if not kind.needs:
            groups.setdefault(kind.group, []).append(kind.name)
    rng = np.random.default_rng(0)
    table = []
    flagged = []
    for title, (file, fields) in EDITS.items():
        pairs = pairs_of(Path(folder), file, fields)
        originals = [a for a, _ in pairs]
        words = {w for e in originals for text in e.inputs.values() for w in words_of(text)}
        known = frozenset(words) | encoder.vocabulary()

        def checked(shifted: Sequence[Example]) -> list[Preservation]:
            return list(
                preserved(TaskKind.PAIR, originals, shifted, known, encoder=encoder)  # noqa: B023
            )

        edits = checked([b for _, b in pairs])
        flagged.append((title, "label-changing edits", "–", share(edits), len(pairs)))
        for group, names in groups.items():
            for severity in SEVERITIES:
                noisy = [
                    perturb_example(
                        [make(names[i % len(names)], severity)], e, seed=0, fields=fields
                    )[0]
                    for i, e in enumerate(originals)
                ]
                checks = checked(noisy)
                flagged.append((title, group, str(severity), share(checks), len(pairs)))
                row = [title, group, str(severity)]
                for score in SCORES.values():
                    row.append(
                        with_interval(
                            np.array([score(c) for c in edits]),
                            np.array([score(c) for c in checks]),
                            rng,
                        )
                    )
                table.append(row)
    doc = (__doc__ or "").strip().splitlines()
    print(f"# {doc[0]}\n")
    print("Command: `ROBUST_EVAL_TEST_DATA=FOLDER python benchmarks/validity_auc.py`\n")
    print("\n".join(doc[4:]) + "\n")
    print(
        f"Thresholds: {THRESHOLDS}. {PAIRS} pairs a set at most; Python {platform.python_version()}.\n"
    )
    head = ("edits", "our perturbations", "severity", *(f"AUC of {name}" for name in SCORES))
    print(f"| {' | '.join(head)} |\n|{'---|' * len(head)}")
    print("\n".join(f"| {' | '.join(row)} |" for row in table))
    print("\nShare flagged as suspects at the thresholds:\n")
    print("| edits | examples | severity | suspects | of |\n|---|---|---|---|---|")
    print("\n".join(f"| {' | '.join(map(str, row))} |" for row in flagged))
    return 0


def share(checks: Sequence[Preservation]) -> str:
    return f"{sum(bool(c.reasons) for c in checks) / len(checks):.0%}"


if __name__ == "__main__":
    sys.exit(main())
