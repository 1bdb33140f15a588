from setuptools import find_packages, setup

setup(
    name="hysds",
    version="1.0.0",
    python_requires=">=3.11",
    packages=find_packages(),
    install_requires=["celery>=5.5,<5.7", "hysds_commons"],
)
