from setuptools import find_packages, setup

setup(
    name="indexer",
    version="1.0.0",
    python_requires=">=3.11",
    packages=find_packages(),
    install_requires=["hysds_commons"],
)
