"""Placeholder until the command tree lands."""


def main() -> None:
    raise SystemExit(1)
