"""The sandbox of `templates.py`, apart from it because jinja takes 25 ms to import."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

from jinja2 import StrictUndefined, TemplateError, TemplateSyntaxError, meta, nodes
from jinja2.filters import do_join, do_lower, do_upper
from jinja2.sandbox import ImmutableSandboxedEnvironment

from envgen import limits
from envgen.template_syntax import COMMENT, VARIABLE, UnsafeTemplateError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from jinja2 import Template

_PLAIN: tuple[type[nodes.Node], ...] = (
    nodes.Template,
    nodes.Output,
    nodes.TemplateData,
    nodes.Name,
    nodes.Const,
    nodes.Filter,
    nodes.Concat,
    nodes.If,
    nodes.CondExpr,
    nodes.Compare,
    nodes.Operand,
    nodes.And,
    nodes.Or,
    nodes.Not,
)
"""What a recipe may write: no attribute, item, call, loop or arithmetic (`'x' * 10**10` is 10 GB of memory)."""


def _replace(text: str, old: str, new: str) -> str:
    """Replace a text in another; nested in each other, a few of these would fill the memory."""
    size = len(text) + str(text).count(str(old)) * len(new)
    if size > limits.TEMPLATE_OUTPUT:
        raise UnsafeTemplateError(f"`replace` makes {size} characters, expected at most {limits.TEMPLATE_OUTPUT}")
    return str(text).replace(str(old), str(new))


class _Sandbox(ImmutableSandboxedEnvironment):
    """A sandbox without the names, filters and tests that Jinja brings, and without attributes."""

    def __init__(self, **options: Any) -> None:
        super().__init__(undefined=StrictUndefined, autoescape=False, keep_trailing_newline=True, **options)
        self.globals = {}
        self.tests = {}
        self.filters = {"join": do_join, "lower": do_lower, "replace": _replace, "upper": do_upper}

    def is_safe_attribute(self, obj: Any, attr: str, value: Any) -> bool:  # noqa: ARG002  jinja's signature
        """Refuse every attribute."""
        return False

    def is_safe_callable(self, obj: Any) -> bool:  # noqa: ARG002  jinja's signature
        """Refuse every call."""
        return False


_RECIPES = _Sandbox(
    variable_start_string=VARIABLE,
    comment_start_string=COMMENT,
    comment_end_string="##}",
)
_OWN = _Sandbox()


def undeclared(text: str) -> frozenset[str]:
    """Return the names that a template of a recipe uses.

    Raises:
        UnsafeTemplateError: it is malformed, or holds what a recipe may not use.
    """
    try:
        tree = _RECIPES.parse(text)
        _check(tree)
        _template(text)  # compiling finds unknown filters
    except TemplateSyntaxError as error:
        raise UnsafeTemplateError(f"not a template: {error.message}") from error
    except RecursionError as error:
        raise UnsafeTemplateError("not a template: nested too deeply") from error
    return frozenset(meta.find_undeclared_variables(tree))


@lru_cache(maxsize=1 << 10)
def _template(text: str) -> Template:
    return _RECIPES.from_string(text)


def render(text: str, values: Mapping[str, str]) -> str:
    """Render a template of a recipe that `undeclared` has passed; see `templates.render`."""
    try:
        found = _template(text).render(values)
    except TemplateError as error:
        raise UnsafeTemplateError(f"not a template: {error.message}") from error
    if len(found) > limits.TEMPLATE_OUTPUT:
        raise UnsafeTemplateError(f"it renders to more than {limits.TEMPLATE_OUTPUT} characters")
    return found


def fill(text: str, **values: Any) -> str:
    """Render a template that ships with envgen; see `templates.fill`."""
    return _OWN.from_string(text).render(values)


def _check(tree: nodes.Template) -> None:
    for node in _walk(tree):
        if not isinstance(node, _PLAIN):
            what = type(node).__name__.lower()
            raise UnsafeTemplateError(
                f"not a template: {what} in line {node.lineno}, expected variables, texts, `~`, `if` and filters"
            )


def _walk(node: nodes.Node) -> Iterable[nodes.Node]:
    yield node
    for child in node.iter_child_nodes():
        yield from _walk(child)
