"""The function that torch calls at the end of `import torch`, through the entry point group `torch.backends`.

Without `ACCEL_AUTO`, which `accel run` sets, nothing is changed, with one exception: where `LD_LIBRARY_PATH` has
another cuDNN, the environment's own is kept. The function never raises, since torch would then fail to import.
"""

from __future__ import annotations

import os
from pathlib import Path


def autoload() -> None:
    """Install the module hook where `ACCEL_AUTO` asks for it and the CPU path is taken."""
    if os.environ.get("LD_LIBRARY_PATH"):
        _keep_own()
    if not os.environ.get("ACCEL_AUTO"):
        return
    try:
        from accel_runtime import hook  # noqa: PLC0415 - plain python must not become slower

        hook.install_from_environment()
    except Exception:
        import logging  # noqa: PLC0415 - see above

        logging.getLogger("accel_runtime").warning("the module hook is not installed", exc_info=True)


def _keep_own() -> None:
    try:
        import torch  # noqa: PLC0415 - it is being imported

        from accel_runtime import loaded  # noqa: PLC0415 - see above

        if os.environ.get("ACCEL_DEVICE", "").strip().lower() != "off":
            loaded.keep_own(Path(torch.__file__).parents[1])
    except Exception:
        import logging  # noqa: PLC0415 - see above

        logging.getLogger("accel_runtime").warning("cuDNN of the environment is not kept", exc_info=True)
