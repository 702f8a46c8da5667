"""Figures in words: shares become points and percentages here, and only here."""

from __future__ import annotations

from collections.abc import Sequence

from robust_eval.records import Estimate

MINUS = "−"


def number(value: float, decimals: int = 1, *, signed: bool = False) -> str:
    """A number with a proper minus sign; `signed` puts a plus before positive ones; never −0."""
    text = f"{abs(value):.{decimals}f}"
    if float(text) == 0:
        return text
    return f"{MINUS if value < 0 else '+' if signed else ''}{text}"


def points(share: float) -> str:
    """0.032 as `3.2`."""
    return number(share * 100)


def signed_points(share: float) -> str:
    """0.032 as `+3.2`."""
    return number(share * 100, signed=True)


def percent(share: float) -> str:
    """0.815 as `81.5%`."""
    return f"{number(share * 100)}%"


def bounds(estimate: Estimate, *, signed: bool = False) -> str:
    """`1.2 to 5.3`, in points."""
    show = signed_points if signed else points
    return f"{show(estimate.low)} to {show(estimate.high)}"


def with_bounds(estimate: Estimate, *, signed: bool = False) -> str:
    """`3.2 (1.2 to 5.3)`, in points."""
    show = signed_points if signed else points
    return f"{show(estimate.value)} ({bounds(estimate, signed=signed)})"


def score_with_bounds(estimate: Estimate) -> str:
    """`81.5% (75.5 to 86.3)`."""
    return f"{percent(estimate.value)} ({bounds(estimate)})"


def p_value(p: float | None) -> str:
    """`0.012`, `< 0.001`, or a dash where there is none."""
    if p is None:
        return "–"
    if p < 0.001:
        return "< 0.001"
    return "1" if p > 0.9995 else f"{p:.3f}"


def p_is(p: float) -> str:
    """`p = 0.012` or `p < 0.001`."""
    text = p_value(p)
    return f"p {text}" if text.startswith("<") else f"p = {text}"


def count(n: int) -> str:
    """1000 as `1,000`."""
    return f"{n:,}"


def counted(n: int, noun: str, plural: str | None = None) -> str:
    """`1 shift`, `2 shifts`, `no shifts`."""
    return f"{count(n) if n else 'no'} {noun if n == 1 else plural or noun + 's'}"


def weights(n: int | None) -> str:
    """268098176 as `268 million weights`."""
    if n is None:
        return "size not known"
    for unit, name in ((1e12, "trillion"), (1e9, "billion"), (1e6, "million")):
        if n >= unit * 0.9995:
            size = n / unit
            return f"{size:.3g} {name} weights" if size < 999.5 else f"{size:.0f} {name} weights"
    return counted(n, "weight")


def level(share: float) -> str:
    """0.95 as `95%`."""
    return f"{share * 100:.4g}%"


def listed(items: Sequence[str], *, most: int = 6) -> str:
    """`a, b and c`; beyond `most`, `a, b, c and 9 more`."""
    if len(items) > most:
        return f"{', '.join(items[: most - 1])} and {len(items) - most + 1} more"
    if len(items) < 2:
        return "".join(items)
    return f"{', '.join(items[:-1])} and {items[-1]}"
