"""Commands and variables as Kubernetes writes them: `$(NAME)` is a variable of the container, `$$` a dollar sign."""

from __future__ import annotations

import re
import shlex

_PART = re.compile(r"\$\$|\$\(([A-Za-z_][A-Za-z0-9_]*)\)")
_MARK = re.compile(r"\(ENV:(\w+)\)")


def literal(text: str) -> str:
    """Text that means itself; doubled dollars only where Kubernetes would read something else."""
    return text.replace("$", "$$") if "$$" in text or "$(" in text else text


def marked(name: str) -> str:
    """A place for a variable that survives the parsers of the old managers; see `from_marks`."""
    return f"(ENV:{name})"


def from_marks(text: str) -> str:
    """Marks become `$(NAME)`, everything else means itself."""
    if not _MARK.search(text):
        return literal(text)
    return _MARK.sub(r"$(\1)", text.replace("$", "$$"))


def names(text: str) -> list[str]:
    """Variables that the text refers to."""
    return [m.group(1) for m in _PART.finditer(text) if m.group(1)]


def plain(text: str) -> str:
    """What a text without variables means."""
    return _PART.sub(lambda m: "$" if m.group() == "$$" else m.group(), text)


def shell(text: str) -> str:
    """The same text as one word of /bin/sh."""
    out, at = "", 0
    for m in _PART.finditer(text):
        out += shlex.quote(text[at : m.start()]) if m.start() > at else ""
        out += f'"${{{m.group(1)}}}"' if m.group(1) else "'$'"
        at = m.end()
    return out + (shlex.quote(text[at:]) if at < len(text) or not text else "")
