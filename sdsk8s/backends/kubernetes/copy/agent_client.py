"""The client of the copy agent in one pod."""

from __future__ import annotations

import json
import marshal
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from importlib.util import MAGIC_NUMBER
from typing import Any

from sdsk8s.backends.kubernetes.api import Cluster
from sdsk8s.backends.kubernetes.copy import agent
from sdsk8s.backends.kubernetes.exec import V4, V5, Command, NotStarted, Stream
from sdsk8s.backends.kubernetes.failures import ApiError
from sdsk8s.backends.kubernetes.websocket import Cut
from sdsk8s.errors import RefusedError, StepError
from sdsk8s.model.copying import CopyPlan, Listing, parse_listing

# The same Python as ours takes the agent compiled, any other its text.
_BOOT = (
    "import sys,marshal;from _frozen_importlib_external import MAGIC_NUMBER as m;b=open(0,'rb',1<<17);_,t,c,v=sys.argv;"
    "t=b.read(int(t));c=b.read(int(c));"
    "exec(marshal.loads(c) if m.hex()==v else compile(t,'sdsk8s-copy','exec'));main(b)"
)
_MOST = 512 * 1024 * 1024
_NO_PYTHON = (126, 127)


@cache
def _source() -> tuple[bytes, bytes]:
    """The agent's text, and its compiled form of this Python, which lies there since it was imported."""
    spec: Any = agent.__spec__
    return spec.loader.get_source(agent.__name__).encode(), marshal.dumps(spec.loader.get_code(agent.__name__))


class Agent:
    """A running agent. NotStarted when the container has no python3; Cut when the connection is lost."""

    def __init__(self, cluster: Cluster, pod: str, container: str, protocols: Sequence[str] = (V5, V4)) -> None:
        text, code = _source()
        argv = ["python3", "-I", "-S", "-c", _BOOT, str(len(text)), str(len(code)), MAGIC_NUMBER.hex()]
        try:
            self.stream = Stream(cluster, Command(pod, container, argv, protocols=protocols))
        except ApiError as err:
            if err.code == 500:  # the node's words about a container that restarts
                raise Cut(err.what, target=err.target, words=err.words) from None
            raise
        self.stream.write(text + code)
        self.index: Mapping[str, int] = {}

    def ask(self, **command: Any) -> None:
        data = marshal.dumps(command, 2)  # a version that every Python 3 reads
        self.stream.write(len(data).to_bytes(4, "big") + data)
        self.stream.flush()

    def answer(self) -> Any:
        """The agent's next message; what it says about a failure is a StepError."""
        try:
            head = self.stream.exactly(4)
        except StepError:
            raise
        except Exception:
            if self.stream.code in _NO_PYTHON:
                raise NotStarted(
                    "the container has no python3", target=self.stream.where, words=bytes(self.stream.stderr).decode()
                ) from None
            raise
        size = int.from_bytes(head, "big")
        if size > _MOST:
            raise self._nonsense(f"a message of {size} bytes")
        try:
            message = json.loads(self.stream.exactly(size).decode("utf-8", "surrogateescape"))
        except ValueError as err:
            raise self._nonsense(str(err)) from None
        if isinstance(message, dict) and "error" in message:
            raise StepError("the copy failed in the pod", target=self.stream.where, words=str(message["error"]))
        return message

    def _nonsense(self, words: str) -> RefusedError:
        return RefusedError(
            "the data from the pod is not valid; nothing was written", target=self.stream.where, words=words
        )

    def look(self, path: str) -> Listing:
        """The listing of a path; `index` has the numbers of its entries from then on."""
        self.ask(do="list", path=path)
        return self.listed()

    def listed(self) -> Listing:
        found = parse_listing(self.answer(), self.stream.where)
        self.index = found.index
        return found

    def hash(self, files: Sequence[int]) -> Callable[[], list[bytes]]:
        """Begin; call the result for the digests. Both sides can work in the meantime."""
        self.ask(do="hash", files=list(files))

        def digests() -> list[bytes]:
            out: list[bytes] = []
            while len(out) < len(files):
                mark = self.stream.exactly(1)
                if mark == b"d":
                    out.append(self.stream.exactly(32))
                elif mark != b"h":
                    raise self._nonsense("expected a digest")
            return out

        return digests

    def open(self, token: str) -> dict[str, int]:
        """Take the staging folder; what an earlier try has left there: {key: size}, -1 for whole files."""
        self.ask(do="open", token=token)
        found = self.answer()
        if "stale" in found:
            raise Cut("another copy replaced the target meanwhile", target=self.stream.where)
        return {str(k): int(v) for k, v in found["staged"].items()}

    def commit(self, plan: CopyPlan, *, laid: bool = False, put: bool = False) -> str:
        """laid: the files are not staged, but in the new tree already. put: files were sent and not answered for yet;
        an agent that could not take them says so and ends, so that the switch can be asked for behind them."""
        if put and self.stream.waiting():
            self.answer()
            put = False
        self.ask(**plan.as_commit(laid=laid))
        if put:
            self.answer()
        return str(self.answer()["how"])

    def bye(self) -> None:
        """All was answered: the end of the agent is not waited for."""
        self.ask(do="bye")
        self.stream.close_input()
        self.stream.shut()
