"""`python3 -m unittest` in `sdk/python`: nothing has to be installed."""

import sys
from pathlib import Path

SDK = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(SDK / "src"))
