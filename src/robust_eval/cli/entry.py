"""From arguments to an exit code: every way that a command can end is decided here."""

from __future__ import annotations

import errno
import os
import shlex
import sys
import tempfile
import traceback
from collections.abc import Sequence

import click

from robust_eval.errors import (
    EXIT_INFRASTRUCTURE,
    EXIT_INTERNAL,
    EXIT_INTERRUPTED,
    EXIT_PASS,
    EXIT_USAGE,
    InfrastructureError,
    RobustEvalError,
)


def run_command(arguments: Sequence[str]) -> int:
    """The exit code of one command; errors are one line on stderr, never a traceback.

    0 done, 1 and 3 a gate that failed or cannot tell, 2 usage, configuration or data, 4 infrastructure, 70 internal, 130 interrupted. An
    uncaught exception never gives 1: that would say that a gate failed.
    """
    from robust_eval.cli.root import robust_eval

    try:
        code = robust_eval.main(list(arguments), prog_name="robust-eval", standalone_mode=False)
        sys.stdout.flush()
        return code if isinstance(code, int) else EXIT_PASS
    except click.exceptions.Exit as ended:
        return ended.exit_code
    except click.UsageError as error:
        where = f" (see {error.ctx.command_path} --help)" if error.ctx else ""
        return _fail(f"{error.format_message()}{where}", EXIT_USAGE)
    except click.ClickException as error:
        return _fail(error.format_message(), EXIT_USAGE)
    except RobustEvalError as error:
        code = _fail(str(error), error.exit_code)
        if isinstance(error, InfrastructureError):
            _say_resume(arguments)
        return code
    except (KeyboardInterrupt, click.Abort):
        _fail("interrupted; what was answered so far is kept", EXIT_INTERRUPTED)
        _say_resume(arguments)
        return EXIT_INTERRUPTED
    except BrokenPipeError:
        # The reader of our output went away (`| head`): nothing is wrong, nothing more can be said.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return EXIT_PASS
    except MemoryError:
        return _fail(
            "out of memory; use a smaller --batch-size, --limit or model", EXIT_INFRASTRUCTURE
        )
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EIO):
            code = _fail(f"{error.strerror}: {error.filename or 'output'}", EXIT_INFRASTRUCTURE)
            _say_resume(arguments)
            return code
        return _internal()
    except Exception:  # noqa: BLE001 - the border of the program: all else is an internal error
        return _internal()


def _fail(line: str, code: int) -> int:
    print(f"robust-eval: {printable(line)}", file=sys.stderr)
    return code


def _say_resume(arguments: Sequence[str]) -> None:
    if any(a == "--model" or a.startswith("--model=") for a in arguments):
        kept = [a for a in arguments if a != "--overwrite"]
        print(f"resume with: robust-eval {printable(shlex.join(kept))}", file=sys.stderr)


def _internal() -> int:
    """Keeps the traceback in a file and names it in one line."""
    text = traceback.format_exc()
    summary = printable(text.strip().splitlines()[-1])[:200]
    try:
        with tempfile.NamedTemporaryFile(
            "w",
            prefix="robust-eval-traceback-",
            suffix=".txt",
            delete=False,
            encoding="utf-8",
            errors="replace",
        ) as file:
            file.write(text)
        where = f"; details in {file.name}"
    except OSError:
        where = ""
    return _fail(f"internal error: {summary}{where}", EXIT_INTERNAL)


def printable(text: str) -> str:
    """`text` on one line without control, bidirectional or other invisible characters."""
    kept = (
        c if c.isprintable() else " " if c in "\n\t\r" else "\N{REPLACEMENT CHARACTER}"
        for c in text
    )
    return "".join(kept).strip()
