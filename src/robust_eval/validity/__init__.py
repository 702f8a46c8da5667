"""What a shift did: how far it is from the clean texts, and whether labels plausibly survived it."""

from robust_eval.validity.distance import shift_size
from robust_eval.validity.examine import Examiner
from robust_eval.validity.preservation import THRESHOLDS, Thresholds, preserved

__all__ = ["THRESHOLDS", "Examiner", "Thresholds", "preserved", "shift_size"]
