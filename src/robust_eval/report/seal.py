"""Digests of a page's sections inside the page itself, so that a changed one can be named."""

from __future__ import annotations

import json
import re
from hashlib import sha256

from robust_eval.report.text import script_json

OPEN, CLOSE = '<script type="application/json" id="about">', "</script>"
SECTION = re.compile(r'<section id="([A-Za-z0-9_-]+)".*?\n</section>', re.DOTALL)
REST = "a part of the page outside its sections"


def sealed(page: str) -> str:
    """The page with the digests of its sections, and of everything around them, in its `about` element.

    Text from outside is escaped and can form no tag, so the last such element is ours.
    """
    start, end = _about(page)
    about = json.loads(page[start:end])
    about["seal"] = _digests(page[:start] + page[end:])
    return page[:start] + script_json(about) + page[end:]


def broken(page: str) -> list[str] | None:
    """What was changed since the page was sealed, in words; None for a page without a seal."""
    try:
        start, end = _about(page)
        stored = json.loads(page[start:end])["seal"]
        if not isinstance(stored, dict):
            return None
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
    return _compared(stored, _digests(page[:start] + page[end:]))


def changed_sections(page: str, wanted: str) -> list[str]:
    """The sections in which two pages differ, in words."""
    return _compared(_digests(wanted), _digests(page))


def _about(page: str) -> tuple[int, int]:
    start = page.rindex(OPEN) + len(OPEN)
    return start, page.index(CLOSE, start)


def _digests(page: str) -> dict[str, str]:
    found = {m[1]: _digest(m[0]) for m in SECTION.finditer(page)}
    return found | {"": _digest(SECTION.sub("", page))}


def _compared(stored: dict[str, str], found: dict[str, str]) -> list[str]:
    names = dict.fromkeys((*stored, *found))
    return [
        f"section {str(name)[:80]!r}" if name else REST
        for name in names
        if stored.get(name) != found.get(name)
    ]


def _digest(text: str) -> str:
    return sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:32]
