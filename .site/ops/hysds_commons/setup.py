from setuptools import find_packages, setup

setup(
    name="hysds_commons",
    version="1.0.0",
    python_requires=">=3.11",
    packages=find_packages(),
    install_requires=["requests>=2.31,<3", "redis>=5,<6"],
)
