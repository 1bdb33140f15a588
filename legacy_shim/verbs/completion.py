"""`sds completion bash|zsh|fish`: the script that a shell sources. What it asks later is answered by complete.py."""

from __future__ import annotations

from sdsk8s.verbs.completion import script
from sdsk8s.verbs.options import Options


def completion(options: Options, *, shell: str) -> int:
    """Print the script."""
    print(script("sds", shell))
    return 0
