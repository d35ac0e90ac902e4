"""Read the section `licenses:` of a spec: which licences a project accepts.

All of its keys may be left out.

    licenses:
      allow: [MIT, BSD-*, LicenseRef-NVIDIA-Proprietary]   # nothing else; leave it out to allow all that is not denied
      deny: [AGPL-*]
      packages: {torchvision: BSD-3-Clause}                # where the package itself does not say it
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from envgen.licenses import LicensePolicy
from envgen.manifest import values
from envgen.manifest.document import BadValueError

if TYPE_CHECKING:
    from envgen.manifest.document import Value

_KEYS = ("allow", "deny", "packages")
_PATTERN = re.compile(r"[A-Za-z0-9.+*-]+(?: WITH [A-Za-z0-9.+*-]+)?")


def parse_policy(section: Value) -> LicensePolicy:
    """Read the section; its faults go into the document."""
    found = section.fields(_KEYS)
    return LicensePolicy(
        allow=_patterns(found["allow"]) if "allow" in found else None,
        deny=_patterns(found["deny"]) if "deny" in found else (),
        packages=_packages(found["packages"]) if "packages" in found else {},
    )


def _patterns(section: Value) -> tuple[str, ...]:
    return tuple(text for item in section.items() if (text := item.parsed(_pattern)))


def _packages(section: Value) -> dict[str, str]:
    found: dict[str, str] = {}
    for key, value in section.fields().items():
        license_, name = value.parsed(_expression), value.checked(key, values.project)
        if license_ is not None and name is not None:
            found[name] = license_
    return found


def _pattern(text: str) -> str:
    """Check a licence or a pattern; one without `*` must be an existing licence."""
    if not _PATTERN.fullmatch(text):
        raise BadValueError(f"not a licence: {text!r}", hint="for example `MIT`, `BSD-*` or `LicenseRef-NVIDIA-*`")
    return text if "*" in text else _expression(text)


def _expression(text: str) -> str:
    # takes 10 ms, for the list of all licences
    from packaging.licenses import InvalidLicenseExpression, canonicalize_license_expression  # noqa: PLC0415

    try:
        return str(canonicalize_license_expression(text))
    except InvalidLicenseExpression as error:
        hint = "use identifiers of the SPDX licence list, or `LicenseRef-NAME`"
        raise BadValueError(f"not an SPDX expression: {text!r}", hint=hint) from error
