"""`python -m mylab` prints the folder of the configs, for `degu run --config-dir`."""

import sys
from pathlib import Path

sys.stdout.write(f"{Path(__file__).parent / 'conf'}\n")
