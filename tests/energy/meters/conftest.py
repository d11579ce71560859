"""Makes the helper modules beside the tests importable, in worker processes too (they inherit the path)."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
