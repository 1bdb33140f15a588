from setuptools import find_packages, setup

setup(
    name="grq2",
    version="1.0.0",
    python_requires=">=3.11",
    packages=find_packages(),
    install_requires=["flask>=3,<4", "gunicorn>=26,<27", "hysds"],
)
