"""Hostile text made harmless to look at: nothing invisible, nothing that reorders, nothing that runs.

HTML escaping is the template's work; here is what escaping does not catch.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Iterable, Sequence
from typing import Any

# Characters of category "letter" or "mark" that show nothing: fillers, the blank Braille cell,
# the grapheme joiner. Invisible insertions hide in them as well as in format characters.
BLANKS = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0")
JOINERS = frozenset("\u200c\u200d")  # needed inside emoji and in Indic and Persian words
SUSPECT = re.compile(r"[^\t\n\x20-\x7e]")


def is_hidden(char: str) -> bool:
    """Whether a character shows nothing of its own, reorders its neighbours, or is no character."""
    point = ord(char)
    if char in "\t\n" or 0x20 <= point <= 0x7E:
        return False
    return (
        unicodedata.category(char) in ("Cc", "Cf", "Cs", "Co", "Zl", "Zp")
        or char in BLANKS
        or point & 0xFFFE == 0xFFFE
        or 0xFDD0 <= point <= 0xFDEF
        or 0xE0100 <= point <= 0xE01EF  # variation selectors that can smuggle bytes
    )


def code_point(char: str) -> str:
    """`U+202E`."""
    return f"U+{ord(char):04X}"


def char_name(char: str) -> str:
    """`U+202E RIGHT-TO-LEFT OVERRIDE`."""
    name = unicodedata.name(char, "")
    return f"{code_point(char)} {name}".rstrip()


def is_shown(text: str, at: int) -> bool:
    """Whether the character at an index can be put on a page as it is."""
    char = text[at]
    if not is_hidden(char):
        return True
    if char not in JOINERS or not 0 < at < len(text) - 1:
        return False
    around = text[at - 1] + text[at + 1]
    return not around.isascii() and not any(is_hidden(c) or c.isascii() for c in around)


def visible(text: str) -> str:
    """The text with every hidden or reordering character written out as ⟨U+202E⟩.

    New lines and tabs stay. Lone surrogates, which no encoding can write, are among the hidden.
    """
    if not SUSPECT.search(text):
        return text
    return "".join(
        char if is_shown(text, at) else f"⟨{code_point(char)}⟩" for at, char in enumerate(text)
    )


def one_line(text: str, limit: int = 300) -> str:
    """`visible` text on one line, cut at the end with an ellipsis."""
    line = " ".join(visible(text[: limit * 4]).split())
    return line if len(line) <= limit else line[: limit - 1].rstrip() + "…"


def shorten(name: str, limit: int) -> str:
    """A name on one line that fits, cut in the middle: both ends of a model's name tell it apart."""
    line = one_line(name, limit=max(limit, 2000))
    if len(line) <= limit:
        return line
    head = (limit - 1 + 1) // 2
    return f"{line[:head]}…{line[len(line) - (limit - 1 - head) :]}"


def script_json(value: Any) -> str:
    """JSON that can stand inside a script element: no `<`, `>`, `&`, U+2028 or U+2029.

    Keys are sorted, so that the same value gives the same bytes.
    """
    text = json.dumps(value, ensure_ascii=True, sort_keys=True, separators=(",", ":"))
    # ensure_ascii has written U+2028, U+2029 and lone surrogates as escapes already.
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


# Signs that form markup anywhere, list and heading signs at the start, and the starts of bare links.
MARKDOWN_SPECIAL = re.compile(
    r"[\\`*_\[\]<>#|~$&]|^[-+=]|(?<=^\d)[.)]|(?<=^\d\d)[.)]|:(?=//)|(?<=www)\.", re.IGNORECASE
)
SET_KEY_AT = re.compile(r"(?<=\w)@(?=\d(?:[,#:;\s)]|$))")


def markdown_text(text: str, limit: int = 600) -> str:
    """A sentence that Markdown shows as it is: no markup, link, HTML, mention or table cell of its own.

    A backslash cannot stop an `@mention`, an e-mail link or an `#issue` reference, which are found
    after rendering: those signs become their full-width forms. `keyboard-typos@3` keeps its sign.
    """
    line = SET_KEY_AT.sub("\0", one_line(text, limit))
    line = line.replace("@", "＠").replace("\0", "@")
    line = re.sub(r"#(?=\d)", "＃", line)
    line = re.sub(r"\b(GH)-(?=\d)", "\\1\u2011", line, flags=re.IGNORECASE)
    return MARKDOWN_SPECIAL.sub(lambda sign: "\\" + sign[0], line)


def markdown_code(name: str, *, cell: bool = False, limit: int = 120) -> str:
    """A name as a code span, where Markdown finds no link, mention or HTML; `cell` escapes pipes."""
    line = shorten(name, limit) or " "
    longest = max((len(run) for run in re.findall(r"`+", line)), default=0)
    if cell:
        line = line.replace("\\", "⧵").replace(
            "|", "\\|"
        )  # a backslash before a pipe would free it
    fence = "`" * (longest + 1)
    pad = " " if line.startswith("`") or line.endswith("`") else ""
    return f"{fence}{pad}{line}{pad}{fence}"


def markdown_table(
    head: Sequence[str], rows: Iterable[Sequence[str]], *, numbers_from: int = 1
) -> str:
    """A table whose cells are Markdown already; columns from `numbers_from` on are set to the right."""
    rule = ["---" if i < numbers_from else "---:" for i in range(len(head))]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (head, rule, *rows))


def markdown_bullets(sentences: Sequence[str]) -> list[str]:
    """One block with a bullet a sentence, or none; the sentences are plain text."""
    return ["\n".join(f"- {markdown_text(s, 1200)}" for s in sentences)] if sentences else []
