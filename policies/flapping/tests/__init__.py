"""The SDK is used from where it lies: nothing has to be installed to test."""

import sys
from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(PROJECT / "../../sdk/python" / "src"))
