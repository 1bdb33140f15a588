"""What is installed from a wheel works without a checkout: manifests, dockerfiles and lab files are found."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment with nothing of the checkout on its path; the dependencies come from the tests' own."""
    folder = tmp_path_factory.mktemp("wheel")
    pip = [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "-w", str(folder), str(ROOT)]
    subprocess.run(pip, check=True, cwd=folder)
    wheel = next(folder.glob("sdsk8s-*.whl"))
    target = folder / "site"
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(target)
    return target


def run(installed: Path, *argv: str) -> subprocess.CompletedProcess[str]:
    code = "import sys; sys.path.insert(0, sys.argv.pop(1)); from sdsk8s.cli.main import main; main(sys.argv[1:])"
    return subprocess.run(
        [sys.executable, "-P", "-c", code, str(installed), *argv], cwd="/", capture_output=True, text=True, check=False
    )


def test_catalogue_and_dockerfiles_are_inside(installed: Path) -> None:
    code = (
        "import sys; sys.path.insert(0, sys.argv[1])\n"
        "import sdsk8s\n"
        "assert sdsk8s.__file__.startswith(sys.argv[1]), sdsk8s.__file__\n"
        "from sdsk8s.site.catalogue import load_catalogue\n"
        "from sdsk8s.site.data import folder\n"
        "print(*load_catalogue().components, folder('dockerfiles'))"
    )
    done = subprocess.run(
        [sys.executable, "-P", "-c", code, str(installed)], cwd="/", capture_output=True, text=True, check=True
    )
    words = done.stdout.split()
    assert {"mozart", "redis", "ci"} <= set(words)
    assert Path(words[-1]).is_relative_to(installed) and (Path(words[-1]) / "budgets.yaml").exists()


def test_files_of_manifests_that_are_not_yaml_travel_too(installed: Path) -> None:
    shipped = {p.relative_to(ROOT / "manifests") for p in (ROOT / "manifests").rglob("*") if p.is_file()}
    inside = installed / "sdsk8s/data/manifests"
    found = {p.relative_to(inside) for p in inside.rglob("*")}
    assert shipped <= found and any(p.suffix == ".conf" for p in shipped)
    assert (installed / "sdsk8s/lab/tools/go.mod").exists() and (installed / "sdsk8s/lab/tools/go.sum").exists()
    lab = ROOT / "sdsk8s" / "lab"
    plain = {p.relative_to(lab) for p in lab.rglob("*") if p.is_file() and p.suffix not in (".py", ".pyc")}
    assert all((installed / "sdsk8s" / "lab" / p).exists() for p in plain)


def test_a_component_can_be_written_from_an_installed_package(installed: Path, tmp_path: Path) -> None:
    done = run(installed, "components", "new", "web", "--home", str(tmp_path))
    assert done.returncode == 0, done.stderr
    found = {str(p.relative_to(tmp_path)) for p in tmp_path.rglob("*") if p.is_file()}
    folder = "manifests/web"
    files = ("component.yaml", "web.yaml", "web.conf", "image/Dockerfile", "image/serve.py")
    assert found == {f"{folder}/{name}" for name in files}


def test_command_runs(installed: Path) -> None:
    assert run(installed, "--help").returncode == 0
    assert "stop" in run(installed, "--help").stdout
