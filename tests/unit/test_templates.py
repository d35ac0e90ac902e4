"""A template of a recipe reads variables, and nothing else."""

from __future__ import annotations

import pytest

from envgen import limits
from envgen.templates import UnsafeTemplateError, fill, render, undeclared

VALUES = {"name": "tool", "version": "1.2"}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("${{ name }}-${{ version }}", "tool-1.2"),
        ("${{ name ~ '-' ~ version }}", "tool-1.2"),
        ("${{ version|replace('.', '_')|upper }}", "1_2"),
        ("{% if name == 'tool' %}a{% else %}b{% endif %}", "a"),
        ("${{ 'a' if version != '1' else 'b' }}", "a"),
        ("{# shell ${#array} {{ x }}\n", "{# shell ${#array} {{ x }}\n"),
    ],
)
def test_what_a_recipe_may_write(text: str, expected: str) -> None:
    assert render(text, VALUES) == expected


@pytest.mark.parametrize(
    "text",
    [
        "${{ name.__class__ }}",
        "${{ name['__class__'] }}",
        "${{ name|attr('__class__') }}",
        "${{ name|map(attribute='__class__')|list }}",
        "${{ name.upper() }}",
        "${{ name.format(name) }}",
        "${{ '{0.__class__}'|format(name) }}",
        "${{ cycler.__init__.__globals__.os.popen('id').read() }}",
        "${{ lipsum() }}",
        "${{ range(9) }}",
        "${{ self.__init__ }}",
        "${{ 'x' * 9999999999 }}",
        "${{ 9 ** 9 ** 9 }}",
        "${{ '%0999999999d' % 1 }}",
        "${{ [name]|join }}",
        "{% for c in name %}x{% endfor %}",
        "{% set x = name %}",
        "{% macro m() %}{% endmacro %}",
        "{% include 'x' %}",
        "{% import 'x' as y %}",
        "{% extends 'x' %}",
        "{% block x %}{% endblock %}",
        "{% filter upper %}x{% endfilter %}",
        "{% call name() %}{% endcall %}",
        "{% with x = 1 %}{% endwith %}",
        "${{ name is callable }}",
        "${{ " + "(" * 5000 + "name" + ")" * 5000 + " }}",
        "${{ name",
    ],
)
def test_what_a_recipe_may_not_write(text: str) -> None:
    with pytest.raises(UnsafeTemplateError):
        undeclared(text)
    with pytest.raises(UnsafeTemplateError):
        render(text, VALUES)


def test_a_name_without_a_value_is_refused() -> None:
    with pytest.raises(UnsafeTemplateError, match="nothing"):
        render("${{ nothing }}", VALUES)


def test_output_is_bounded() -> None:
    grow = "|replace('a', 'aaaaaaaaaaaaaaaa')" * 12
    with pytest.raises(UnsafeTemplateError, match="at most"):
        render("${{ 'a'" + grow + " }}", VALUES)
    with pytest.raises(UnsafeTemplateError, match="more than"):
        render("x" * (limits.TEMPLATE_OUTPUT + 1), VALUES)


def test_own_templates_may_loop() -> None:
    assert fill("{% for x in xs %}{{ x }},{% endfor %}{{ xs|join('+') }}", xs=["a", "b"]) == "a,b,a+b"
