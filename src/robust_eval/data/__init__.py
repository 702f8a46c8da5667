"""Data: any source as records, disjoint splits, and natural shifts."""

from robust_eval.data.catalog import training_spec
from robust_eval.data.domain import load_ood, ood_sets
from robust_eval.data.files import read_rows
from robust_eval.data.fingerprint import content_id, fingerprint
from robust_eval.data.loading import load
from robust_eval.data.pairings import OodSet, describe_domains
from robust_eval.data.source import Reading
from robust_eval.data.splits import Splits, make_splits

__all__ = [
    "OodSet",
    "Reading",
    "Splits",
    "content_id",
    "describe_domains",
    "fingerprint",
    "load",
    "load_ood",
    "make_splits",
    "ood_sets",
    "read_rows",
    "training_spec",
]
