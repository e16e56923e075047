# SPDX-License-Identifier: MIT
"""From a command line to an exit code."""

from __future__ import annotations

import errno
import importlib
import os
import sys
from collections.abc import Callable, Mapping, Sequence

from federation.cli import output
from federation.cli.output import CommandError, Result
from federation.cli.parser import VERBS, build
from federation.config import check_flags, refuse_secret_flags
from federation.errors import Refusal


def run(argv: Sequence[str], environ: Mapping[str, str]) -> int:
    """Run one verb; the exit code."""
    as_json = "--json" in argv
    try:
        return _run(argv, environ)
    except CommandError as error:
        return output.print_error(error, as_json=as_json)
    except Refusal as refusal:
        return output.print_error(CommandError.of(refusal), as_json=as_json)
    except BrokenPipeError:
        # Nobody reads our output any more (`... | head`): nothing more to say, also at exit.
        _mute()
        return output.FAILED
    except KeyboardInterrupt:
        return output.INTERRUPTED


def _run(argv: Sequence[str], environ: Mapping[str, str]) -> int:
    refuse_secret_flags(argv)
    try:
        arguments = build(argv).parse_args(argv)
    except SystemExit as end:  # --help and --version have said what was asked
        return int(end.code or 0)
    # What follows loads more than `--help` needs.
    from federation.cli.context import Context

    module, _, function = next(
        verb.function for verb in VERBS if verb.name == arguments.verb
    ).partition(":")
    verb: Callable[[Context], Result | int]
    verb = getattr(importlib.import_module(f"federation.cli.{module}"), function)
    context = Context(arguments, environ)
    check_flags(context.flags())
    try:
        outcome = verb(context)
    finally:
        context.close()
    if isinstance(outcome, int):
        return outcome
    return _show(outcome, as_json=context.as_json)


def _show(outcome: Result, *, as_json: bool) -> int:
    """Print a result; Refusal where it cannot be written (a full disk, say)."""
    try:
        code = output.print_result(outcome, as_json=as_json)
        if sys.stdout is not None:  # None: it was closed by whoever started us
            sys.stdout.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        _mute()
        reason = "disk-full" if error.errno == errno.ENOSPC else "path-io-error"
        raise Refusal(reason, f"standard output: {error.strerror}") from None
    return code


def _mute() -> None:
    """What is left of our output goes nowhere, also at exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
