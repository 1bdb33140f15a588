"""How a command ends: its exit code, and errors as lines on stderr. Both front ends end by this."""

from __future__ import annotations

import sys
from collections.abc import Callable

import click

from sdsk8s.errors import Interrupted, SdsError


def exit_code(call: Callable[[], object]) -> int:
    """Call it. Its number, or 0 for anything else that it returns; the exit code of an error, which is printed."""
    try:
        result = call()
        sys.stdout.flush()
        return result if isinstance(result, int) else 0
    except click.exceptions.Exit as err:
        return err.exit_code
    except click.Abort:
        click.echo("aborted", err=True)
        return Interrupted.exit_code
    except click.ClickException as err:
        err.show()
        return err.exit_code
    except SdsError as err:
        for line in err.lines():
            click.echo(line, err=True)
        return err.exit_code
    except KeyboardInterrupt:
        click.echo("interrupted", err=True)
        return Interrupted.exit_code
    except BrokenPipeError:
        sys.stderr.close()
        return 1
