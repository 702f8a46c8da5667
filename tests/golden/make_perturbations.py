"""Writes the golden outputs again, after a change that is meant to alter perturbed texts."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path

HERE = Path(__file__).parent


def main() -> None:
    path = HERE.parent / "contracts" / "test_perturbations.py"
    spec = importlib.util.spec_from_file_location("contract", path)
    assert spec
    assert spec.loader
    contract = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(contract)
    golden = {name: contract.golden_outputs(name) for name in contract.NAMES}
    content = json.dumps(golden, ensure_ascii=True, indent=1) + "\n"
    (HERE / "perturbations.json").write_text(content, "utf-8")


if __name__ == "__main__":
    main()
