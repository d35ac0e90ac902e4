"""Texts of packages that hold the path of an environment, written as rattler writes them."""

from __future__ import annotations

_LONGEST_SHEBANG = 127
"""Bytes of a first line that every Linux reads; rattler writes another one beyond."""

COMMAND_MODE = 0o775
"""Of a command, whatever the umask."""

_COMMAND = """\
#!{program}
# -*- coding: utf-8 -*-
import re
import sys

from {module} import {name}

if __name__ == '__main__':
\tsys.argv[0] = re.sub(r'(-script\\.pyw?|\\.exe)?$', '', sys.argv[0])
\tsys.exit({function}())
"""


def relocated(data: bytes, placeholder: str, prefix: str) -> bytes | None:
    """Replace the placeholder in a text; None where its first line would have to change otherwise."""
    text = data.replace(placeholder.encode(), prefix.encode())
    return text if not data.startswith(b"#!") or _is_read(text, prefix) else None


def command_text(target: str, program: str) -> bytes | None:
    """Write the command of a `noarch: python` package; None where its first line would have to be another one.

    Args:
        target: what it calls, `module:function`; the function may be an attribute of an object.
        program: path of Python, absolute.
    """
    module, _colon, function = target.partition(":")
    name = function.partition(".")[0]
    text = _COMMAND.format(program=program, module=module, name=name, function=function).encode()
    return text if _is_read(text, program) else None


def _is_read(text: bytes, path: str) -> bool:
    """Return whether every Linux reads the first line of a script, which holds a path."""
    first = text.partition(b"\n")[0]
    return " " not in path and len(first) <= _LONGEST_SHEBANG and first.isascii()
