"""Panels of reference models: files of scores on one clean set and its shifts, embedded or the user's own."""

from __future__ import annotations

from robust_eval.panels.files import (
    AUTO,
    FORMAT,
    OFF,
    choose_panel,
    describe_panels,
    described,
    embedded_names,
    fitting_panel,
    read_embedded,
    read_panel,
    write_panel,
)
from robust_eval.panels.making import (
    FAMILIES,
    TRAINED,
    default_name,
    empty_panel,
    panel_score,
)
from robust_eval.panels.runs import panel_of_runs

__all__ = [
    "AUTO",
    "FAMILIES",
    "FORMAT",
    "OFF",
    "TRAINED",
    "choose_panel",
    "default_name",
    "describe_panels",
    "described",
    "embedded_names",
    "empty_panel",
    "fitting_panel",
    "panel_of_runs",
    "panel_score",
    "read_embedded",
    "read_panel",
    "write_panel",
]
