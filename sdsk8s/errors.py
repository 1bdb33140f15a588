"""The tree of errors. Each branch has one exit code; every leaf says what, where, whose words, what next.

SdsError                 1   something failed
├── UsageError           2   the command line is wrong
├── ConfigError          1   a file of the site or the catalogue is wrong (nothing was changed)
├── ClusterError         1   the API server is away, refuses us, or answers with an error
│   └── WaitError        1   a wait ended: timeout, or a cause that cannot heal
├── ImageError           1   build, push or registry failed
├── CloudError           1   a cloud service or bucket refuses, or is away
│   └── CredentialsError 1   there are no credentials for it
├── StepError            1   a step of a run failed
├── PartialError         3   some targets are done, some are not; the table says which
├── RefusedError         4   unsafe, lock held, or a flag is needed
└── Interrupted        130   Ctrl-C
"""

from __future__ import annotations


class SdsError(Exception):
    """Base of every error shown to an operator.

    what    one sentence: what failed
    target  on which file, object or host
    words   the server's or parser's own words
    next    the next command to try
    """

    exit_code = 1

    def __init__(self, what: str, *, target: str = "", words: str = "", next: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.target = target
        self.words = words.strip()
        self.next = next

    def lines(self) -> list[str]:
        """The error as it is printed: one line per part, empty parts left out."""
        out = [f"error: {self.what}"]
        if self.target:
            out.append(f"   where: {printable(self.target)}")
        for i, line in enumerate(self.words.splitlines()):
            out.append(("    says: " if i == 0 else "          ") + printable(line))
        if self.next:
            out.append(f"     try: {self.next}")
        return out

    def as_dict(self) -> dict[str, str | int]:
        """The error for `-o json`."""
        return {
            "error": type(self).__name__,
            "what": self.what,
            "target": self.target,
            "words": self.words,
            "next": self.next,
            "exit_code": self.exit_code,
        }

    def __str__(self) -> str:
        return "\n".join(self.lines())


def printable(text: str) -> str:
    """One line of somebody else's, such as the name of a file in a pod: what a terminal would obey is spelt out."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() or c == "\t" else c.encode("unicode_escape").decode() for c in text)


class UsageError(SdsError):
    exit_code = 2


class ConfigError(SdsError):
    pass


class ClusterError(SdsError):
    pass


class WaitError(ClusterError):
    pass


class ImageError(SdsError):
    pass


class CloudError(SdsError):
    pass


class CredentialsError(CloudError):
    pass


class StepError(SdsError):
    pass


class PartialError(SdsError):
    exit_code = 3


class RefusedError(SdsError):
    exit_code = 4


class Interrupted(SdsError):
    exit_code = 130
