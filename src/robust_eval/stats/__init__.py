"""Intervals and tests as pure functions: scores in, an `Estimate` or a p-value out.

Nothing here reads a file or keeps a state, and the order of the items never matters. What each
formula is and what it was checked against stands in `docs/statistics.md`.
"""
