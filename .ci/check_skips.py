"""Exit 1 if a JUnit file holds a test that was skipped for a reason that is not allowed.

A suite that skips what it cannot run is green on a machine where nothing runs. Only what no build
machine has may be skipped: a GPU, an API key, the model hub. A file without tests fails as well.
"""

from __future__ import annotations

import re
import sys
import xml.etree.ElementTree as ElementTree
from collections import Counter
from pathlib import Path

ALLOWED = re.compile(r"(?:GPU|key|hub)\b")
# When a whole file is skipped, the reason is in the text: ('path', line, 'Skipped: reason').
WHOLE_FILE = re.compile(r"['\"]Skipped: (?P<reason>.*)['\"]\)", re.DOTALL)


def skips(path: Path) -> tuple[int, list[tuple[str, str]]]:
    """How many tests ran or were skipped, and (test, reason) of each that was skipped."""
    # pytest wrote this file a moment ago, from the project's own tests: it is not hostile XML.
    cases = list(ElementTree.parse(path).iter("testcase"))
    found = []
    for case in cases:
        for skipped in case.iter("skipped"):
            reason = skipped.get("message") or ""
            if whole := WHOLE_FILE.search(skipped.text or ""):
                reason = whole["reason"] if reason == "collection skipped" else reason
            found.append((f"{case.get('classname')}::{case.get('name')}", reason))
    return len(cases), found


def main(paths: list[str]) -> int:
    failed = False
    for path in map(Path, paths):
        total, found = skips(path)
        refused = [(test, reason) for test, reason in found if not ALLOWED.match(reason)]
        allowed = Counter(reason for _, reason in found if ALLOWED.match(reason))
        for test, reason in refused:
            print(f"{path.stem}: skipped without leave: {test}: {reason}")
        for reason, times in sorted(allowed.items()):
            print(f"{path.stem}: skipped {times} times: {reason}")
        print(f"{path.stem}: {total} tests, {len(found)} skipped, {len(refused)} without leave")
        failed = failed or bool(refused) or total == 0
    return int(failed or not paths)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
