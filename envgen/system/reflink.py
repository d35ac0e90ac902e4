"""Files that share the blocks of others until one of them is written: reflinks, as btrfs and XFS make them."""

from __future__ import annotations

import fcntl
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from _typeshed import HasFileno

_FICLONE = 0x40049409
"""Request of ioctl(2) of Linux, `linux/fs.h`: the target shares the blocks of the source."""


def reflink(source: HasFileno, target: HasFileno) -> bool:
    """Share the blocks of an open file with an empty one; return False if the file system cannot do that."""
    try:
        fcntl.ioctl(target.fileno(), _FICLONE, source.fileno())
    except OSError:
        return False
    return True
