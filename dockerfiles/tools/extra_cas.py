"""Write each certificate of one PEM bundle that another bundle lacks to a file of its own.

usage: extra_cas.py BUNDLE KNOWN OUT
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

PEM = re.compile(r"-----BEGIN CERTIFICATE-----(.+?)-----END CERTIFICATE-----", re.S)


def certificates(text: str) -> dict[str, str]:
    """{body without white space: body}"""
    return {"".join(body.split()): body for body in PEM.findall(text)}


bundle, known, out = (Path(arg) for arg in sys.argv[1:4])
out.mkdir(parents=True, exist_ok=True)
have = certificates(known.read_text())
extra = [body for key, body in certificates(bundle.read_text()).items() if key not in have]
for number, body in enumerate(extra):
    (out / f"extra-{number}.crt").write_text(f"-----BEGIN CERTIFICATE-----{body}-----END CERTIFICATE-----\n")
print(f"{len(extra)} certificates of the building host are used while building")
