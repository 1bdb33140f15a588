"""Read what a set of Python source trees requires and offers, without installing them.

usage: read_packages.py --ops DIR --out DIR [--extra "REQ REQ"]

For every folder of --ops: name, version, requirements, console scripts and import roots, from [project] of its
pyproject.toml, else from its setup.py or setup.cfg, else from requirements.txt. Writes
  OUT/requirements/requirements.txt   sorted; the trees themselves are left out, and the names in DIR/exclude.txt
  OUT/requirements/constraints.txt    a copy of DIR/constraints.txt, or empty
  OUT/packages.json                   for finish_code.py
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import tomllib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

Package = dict[str, Any]

# Runs setup.py in a process of its own: it may print, import its own package, or change directory.
READ_SETUP = """
import json, os, sys
sys.argv = ["setup.py"]
sys.path.insert(0, os.getcwd())
out = os.fdopen(os.dup(1), "w"); os.dup2(2, 1)
import setuptools
from distutils.core import run_setup
if os.path.exists("setup.py"):
    dist = run_setup("setup.py", stop_after="init")
else:
    dist = setuptools.dist.Distribution(); dist.parse_config_files()
eps = dist.entry_points or {}
if isinstance(eps, str):
    import configparser
    cp = configparser.ConfigParser(delimiters=("=",)); cp.optionxform = str; cp.read_string(eps)
    eps = {s: [f"{k} = {v}" for k, v in cp.items(s)] for s in cp.sections()}
eps = {k: [v] if isinstance(v, str) else list(v) for k, v in eps.items()}
json.dump({"name": dist.get_name(), "version": str(dist.get_version()), "requires": list(dist.install_requires or []),
           "entry_points": eps, "scripts": list(dist.scripts or []),
           "root": (dist.package_dir or {}).get("", ""), "python": str(dist.python_requires or "")}, out)
"""


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def requirement_name(text: str) -> str:
    found = re.match(r"\s*([A-Za-z0-9][A-Za-z0-9._-]*)", text)
    return normal(found.group(1)) if found else ""


def check_python(package: Package) -> None:
    """Exit when a tree declares a Python that this base does not have."""
    try:
        from packaging.specifiers import SpecifierSet
    except ImportError:
        from pkg_resources.extern.packaging.specifiers import SpecifierSet
    have = ".".join(str(n) for n in sys.version_info[:3])
    if package["python"] and have not in SpecifierSet(package["python"], prereleases=True):
        sys.exit(
            f"package {package['folder']}: it declares Python {package['python']}, the base image has {have}; "
            "build from another base (FROM_IMAGE), or change what the package declares"
        )


def lines(path: Path) -> list[str]:
    """Requirements of a file; options, comments and -r lines are not followed."""
    out = []
    for line in path.read_text().splitlines():
        text = line.split(" #")[0].strip()
        if text and not text.startswith(("#", "-")):
            out.append(text)
    return out


def from_pyproject(project: dict[str, Any], tree: Path) -> Package:
    entry_points = {"console_scripts": [f"{k} = {v}" for k, v in project.get("scripts", {}).items()]}
    for group, items in project.get("entry-points", {}).items():
        entry_points[group] = [f"{k} = {v}" for k, v in items.items()]
    return {
        "name": project["name"],
        "version": project.get("version", "0"),
        "requires": project.get("dependencies", []),
        "entry_points": entry_points,
        "scripts": [],
        "python": project.get("requires-python", ""),
        "root": "src" if (tree / "src").is_dir() and not (tree / "src" / "__init__.py").exists() else "",
    }


def read(tree: Path) -> Package:
    """One tree's metadata; exits with words that name the tree when its setup.py fails."""
    pyproject = tree / "pyproject.toml"
    project = tomllib.loads(pyproject.read_text()).get("project", {}) if pyproject.exists() else {}
    if project and not {"dependencies", "scripts"} & set(project.get("dynamic", [])):
        found = from_pyproject(project, tree)
    elif (tree / "setup.py").exists() or (tree / "setup.cfg").exists() or project:
        env = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}
        done = subprocess.run([sys.executable, "-c", READ_SETUP], cwd=tree, stdout=subprocess.PIPE, text=True, env=env)
        if done.returncode != 0:
            sys.exit(f"package {tree.name}: its setup.py could not be read (the traceback is above)")
        found = json.loads(done.stdout)
    else:
        found = {
            "name": tree.name,
            "version": "0",
            "requires": [],
            "entry_points": {},
            "scripts": [],
            "root": "",
            "python": "",
        }
        if not (tree / "requirements.txt").exists():
            print(f"package {tree.name}: no setup.py, pyproject.toml or requirements.txt: nothing is installed for it")
    if not found["requires"] and (tree / "requirements.txt").exists():
        found["requires"] = lines(tree / "requirements.txt")
    if found["name"] in (None, "UNKNOWN"):
        found["name"] = tree.name
    return {**found, "folder": tree.name}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--ops", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--extra", default="")
    args = parser.parse_args()
    trees = [tree for tree in sorted(args.ops.iterdir()) if tree.is_dir()]
    with ThreadPoolExecutor(max_workers=os.cpu_count()) as pool:  # each setup.py is a process that takes its time
        packages = list(pool.map(read, trees))
    for package in packages:
        check_python(package)
    own = {normal(package["name"]) for package in packages}
    wanted = {req.strip() for package in packages for req in package["requires"]}
    # Declared by a tree and not wanted by the site: one list for all images, so a name that none declares is no error.
    exclude = args.ops / "exclude.txt"
    unwanted = {requirement_name(line) for line in lines(exclude)} if exclude.exists() else set()
    left_out = sorted(req for req in wanted if requirement_name(req) in unwanted)
    wanted = {req for req in (wanted - set(left_out)) | set(args.extra.split()) if requirement_name(req) not in own}
    out = args.out / "requirements"
    out.mkdir(parents=True)
    (out / "requirements.txt").write_text("".join(f"{req}\n" for req in sorted(wanted)))
    constraints = args.ops / "constraints.txt"
    (out / "constraints.txt").write_text(constraints.read_text() if constraints.exists() else "")
    (args.out / "packages.json").write_text(json.dumps(packages, indent=1))
    for package in packages:
        print(f"package {package['folder']}: {package['name']} {package['version']}")
    print("requirements: " + (", ".join(sorted(wanted)) or "none"))
    if left_out:
        print("left out, as exclude.txt says: " + ", ".join(left_out))


if __name__ == "__main__":
    main()
