"""Lay out the code layer: trees, links into the mounted config, import paths, metadata, scripts, bytecode.

usage: finish_code.py --ops DIR --meta DIR --links FILE --out DIR     (OUT becomes / of the image)
"""

from __future__ import annotations

import argparse
import compileall
import json
import py_compile
import shutil
import sys
from pathlib import Path
from typing import Any

VENV = "opt/sds/venv"
OPS = "/opt/sds/ops"

SCRIPT = """#!/{venv}/bin/python
import sys

from {module} import {first}

if __name__ == "__main__":
    sys.exit({attribute}())
"""


def entry_point_script(spec: str) -> tuple[str, str] | None:
    """(name, text) of a console script 'name = module:attribute [extras]'."""
    name, _, target = spec.partition("=")
    module, _, attribute = target.split("[")[0].strip().partition(":")
    if not attribute:
        return None
    text = SCRIPT.format(venv=VENV, module=module, attribute=attribute, first=attribute.split(".")[0])
    return name.strip(), text


def write_metadata(package: dict[str, Any], site: Path) -> None:
    """A .dist-info, so that importlib.metadata and entry points work for trees that run from source."""
    stem = package["name"].replace("-", "_")
    info = site / f"{stem}-{package['version']}.dist-info"
    info.mkdir(parents=True, exist_ok=True)
    requires = "".join(f"Requires-Dist: {req}\n" for req in package["requires"])
    (info / "METADATA").write_text(
        f"Metadata-Version: 2.1\nName: {package['name']}\nVersion: {package['version']}\n{requires}"
    )
    (info / "INSTALLER").write_text("sdsk8s\n")
    groups = {group: items for group, items in package["entry_points"].items() if items}
    if groups:
        text = "".join(f"[{group}]\n" + "".join(f"{item}\n" for item in items) for group, items in groups.items())
        (info / "entry_points.txt").write_text(text)


def write_scripts(package: dict[str, Any], tree: Path, bin_dir: Path) -> None:
    texts = dict(
        pair
        for spec in package["entry_points"].get("console_scripts", [])
        if (pair := entry_point_script(spec)) is not None
    )
    for relative in package["scripts"]:
        source = tree / relative
        text = source.read_text(errors="surrogateescape")
        first, _, rest = text.partition("\n")
        texts[source.name] = f"#!/{VENV}/bin/python\n{rest}" if first.startswith("#!") and "python" in first else text
    for name, text in texts.items():
        path = bin_dir / name
        path.write_text(text, errors="surrogateescape")
        path.chmod(0o755)


def make_links(links: dict[str, str], root: Path) -> None:
    """Links whose targets exist only at run time (mounted config); a file of the tree in the way gives way."""
    for link, target in sorted(links.items()):
        path = root / link.lstrip("/")
        if path.is_dir() and not path.is_symlink():
            sys.exit(f"link {link}: a folder of the source tree has this name")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.unlink(missing_ok=True)
        path.symlink_to(target)
        print(f"link {link} -> {target}")


def main() -> None:
    parser = argparse.ArgumentParser()
    for name in ("ops", "meta", "links", "out"):
        parser.add_argument(f"--{name}", type=Path, required=True)
    args = parser.parse_args()
    ops = args.out / "opt/sds/ops"
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    site = args.out / VENV / "lib" / version / "site-packages"
    bin_dir = args.out / VENV / "bin"
    for folder in (site, bin_dir):
        folder.mkdir(parents=True)
    packages = json.loads((args.meta / "packages.json").read_text())
    roots = []
    for package in packages:
        shutil.copytree(args.ops / package["folder"], ops / package["folder"], symlinks=True)
        roots.append("/".join(part for part in (OPS, package["folder"], package["root"]) if part))
        write_metadata(package, site)
        write_scripts(package, args.ops / package["folder"], bin_dir)
    (site / "sds-ops.pth").write_text("".join(f"{root}\n" for root in roots))
    # The root file system is read-only: without bytecode every start would compile again. A file that is no valid
    # Python 3 is the tree's own affair and no reason to fail; the build log names it.
    compileall.compile_dir(
        str(ops),
        stripdir=str(args.out),
        prependdir="/",
        quiet=1,
        invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH,
    )
    make_links(json.loads(args.links.read_text()), args.out)
    for path in ops.rglob("*"):
        if not path.is_symlink():
            path.chmod(path.stat().st_mode & 0o7777 & ~0o6022 | (0o755 if path.is_dir() else 0o444))


if __name__ == "__main__":
    main()
