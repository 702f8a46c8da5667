"""Which letters' keys touch, on several keyboards."""

from __future__ import annotations

from collections.abc import Mapping

# Letter rows from top to bottom, written from the keyboards themselves; other keys are a space.
LAYOUTS: Mapping[str, tuple[str, str, str]] = {
    "qwerty": ("qwertyuiop", "asdfghjkl", "zxcvbnm"),
    "qwertz": ("qwertzuiopü", "asdfghjklöä", "yxcvbnm"),
    "azerty": ("azertyuiop", "qsdfghjklm", "wxcvbn"),
    "dvorak": ("   pyfgcrl", "aoeuidhtns", " qjkxbmwvz"),
    "colemak": ("qwfpgjluy", "arstdhneio", "zxcvbkm"),
    "jcuken": ("йцукенгшщзхъ", "фывапролджэ", "ячсмитьбю"),
}
# How far each row stands to the right of the top one, in key widths: the stagger of common keyboards.
STAGGER = (0.0, 0.25, 0.75)

# Older than the other layouts and kept as it was: the order of the options decides which typo a draw makes.
QWERTY = {
    "q": "wa", "w": "qeas", "e": "wrsd", "r": "etdf", "t": "ryfg", "y": "tugh", "u": "yihj",
    "i": "uojk", "o": "ipkl", "p": "ol", "a": "qwsz", "s": "awedxz", "d": "serfcx",
    "f": "drtgvc", "g": "ftyhbv", "h": "gyujnb", "j": "huikmn", "k": "jiolm", "l": "kop",
    "z": "asx", "x": "zsdc", "c": "xdfv", "v": "cfgb", "b": "vghn", "n": "bhjm", "m": "njk",
}  # fmt: skip


def touching(rows: tuple[str, str, str]) -> dict[str, str]:
    """Letter -> the letters whose keys touch its own, from left to right and top to bottom."""
    keys = [
        (key, row, column + STAGGER[row])
        for row, letters in enumerate(rows)
        for column, key in enumerate(letters)
        if key != " "
    ]
    return {
        key: "".join(
            other
            for other, y, x in keys
            if other != key and abs(y - row) <= 1 and abs(x - place) <= (1 if y == row else 0.75)
        )
        for key, row, place in keys
    }


def both_cases(table: Mapping[str, str]) -> dict[str, str]:
    """The table for small letters, and for capitals alike."""
    return {**table, **{key.upper(): options.upper() for key, options in table.items()}}


NEIGHBOURS: Mapping[str, Mapping[str, str]] = {
    name: both_cases(QWERTY if name == "qwerty" else touching(rows))
    for name, rows in LAYOUTS.items()
}
QWERTY_NEIGHBOURS = NEIGHBOURS["qwerty"]
