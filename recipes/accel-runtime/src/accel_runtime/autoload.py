"""What torch calls at the end of `import torch`, through the entry point group `torch.backends`.

Plain `python` gets nothing: without `ACCEL_AUTO`, which `accel run` sets, no other module is imported and nothing is
changed. The function never raises, for torch would then fail to import.
"""

from __future__ import annotations

import os


def autoload() -> None:
    """Install the module hook where `ACCEL_AUTO` asks for it and the CPU path is taken."""
    if not os.environ.get("ACCEL_AUTO"):
        return
    try:
        from accel_runtime import hook  # noqa: PLC0415 - plain python must not pay for it

        hook.install_from_environment()
    except Exception:
        import logging  # noqa: PLC0415 - see above

        logging.getLogger("accel_runtime").warning("the module hook is not installed", exc_info=True)
