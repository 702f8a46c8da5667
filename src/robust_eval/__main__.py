"""`python -m robust_eval` and the `robust-eval` command."""

from __future__ import annotations

import sys

from robust_eval.cli.entry import run_command


def main() -> None:
    """Runs the command line and ends the process with its exit code."""
    sys.exit(run_command(sys.argv[1:]))


if __name__ == "__main__":
    main()
