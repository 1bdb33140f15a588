"""Renders one Jinja2 template of a site; its faults become errors that name the template and the line."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sdsk8s.errors import ConfigError


def render_text(text: str, values: Mapping[str, Any], where: str) -> str:
    """The rendered text. Undefined names become empty text: the legacy tool's templates count on it.

    where: the template, for the ConfigError. Jinja2 is loaded when a site has a template.
    """
    import jinja2

    env = jinja2.Environment(keep_trailing_newline=True, autoescape=False)
    try:
        return env.from_string(text).render(values)
    except jinja2.TemplateSyntaxError as err:
        words = str(err.message)
        raise ConfigError("the template has an error", target=f"{where}:{err.lineno}", words=words) from None
    except Exception as err:  # whatever a template's expression may raise is the template's fault
        raise ConfigError("the template cannot be rendered", target=where, words=str(err)) from None
