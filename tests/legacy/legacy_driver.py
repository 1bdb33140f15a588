"""Runs in the legacy tool's own Python: reads command lines, tells what its parser and its processes made of them.

stdin: JSON list of argument lists. stdout: JSON list of {"exit", "out", "err", "parsed"}; out and err say whether
there was text, parsed is the parser's namespace or null. Each line runs in a child of its own, so that imports are
paid once. HOME is the caller's business.
"""

import contextlib
import importlib
import json
import os
import sys
import tempfile

import sdscli.command_line as cli


def child(argv):
    """Exit code of the tool's main() for one command line, in this process."""
    sys.argv = ["sds", *argv]
    try:
        code = cli.main()
    except SystemExit as end:
        code = end.code
    except BaseException:
        import traceback

        traceback.print_exc()
        code = 1
    return code if isinstance(code, int) else int(code is not None)


def run(argv):
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        pid = os.fork()
        if pid == 0:
            os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
            os.dup2(out.fileno(), 1)
            os.dup2(err.fileno(), 2)
            code = child(argv)
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(code)
        code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        sizes = [f.seek(0, os.SEEK_END) for f in (out, err)]
    return {"exit": code, "out": sizes[0] > 0, "err": sizes[1] > 0}


def parsed(argv):
    """The namespace that the tool would have acted on."""
    seen = []
    whole, cli.dispatch = cli.dispatch, lambda args: seen.append(vars(args)) or 0
    read, write = os.pipe()
    pid = os.fork()
    if pid == 0:
        devnull = os.open(os.devnull, os.O_RDWR)
        os.dup2(devnull, 1)
        os.dup2(devnull, 2)
        child(argv)
        values = {k: v for k, v in seen[0].items() if not callable(v)} if seen else None
        os.write(write, json.dumps(values).encode())
        os._exit(0)
    os.close(write)
    with os.fdopen(read) as pipe:
        text = pipe.read()
    os.waitpid(pid, 0)
    cli.dispatch = whole
    return json.loads(text)


if __name__ == "__main__":
    for module in ("fabfile", "update", "status", "pkg", "rules", "cloud", "ci", "orch", "configure"):
        # Most end at the missing configuration; what they have imported by then stays loaded for the children.
        with contextlib.suppress(BaseException):
            importlib.import_module(f"sdscli.adapters.hysds.{module}")
    json.dump([{**run(argv), "parsed": parsed(argv)} for argv in json.load(sys.stdin)], sys.stdout)
