"""`python -m accel_runtime` is the `accel` command."""

import sys

from accel_runtime.cli import main

sys.exit(main())
