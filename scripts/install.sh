#!/bin/bash
# Makes the virtual environment, saying what it installs before it does. Safe to run again.
set -euo pipefail
venv=${1:-.venv}
python=${PYTHON:-python3.11}
command -v "$python" >/dev/null || python=python3
"$python" - <<'PY' || { echo "Python 3.11 or later is needed: apt-get install python3 python3-venv" >&2; exit 1; }
import sys
sys.exit(sys.version_info < (3, 11))
PY
if ! "$python" -c 'import ensurepip, venv' 2>/dev/null; then
    echo "== installing the Debian package python3-venv (Python's own venv module is not complete)"
    [ "$(id -u)" = 0 ] || { echo "this needs root: apt-get install python3-venv" >&2; exit 1; }
    apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends python3-venv
fi
echo "== installing sdsk8s, what it depends on, and the tools of its checks (pytest, ruff, mypy, import-linter, hadolint) into $venv"
[ -x "$venv/bin/python" ] || "$python" -m venv "$venv"
"$venv/bin/python" -m pip install -q --disable-pip-version-check -e '.[dev]' --config-settings editable_mode=compat
