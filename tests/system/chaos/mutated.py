"""`python -m tests.system.chaos.mutated NAME api …`: `chat api …` with one mutation, or with `none`."""

from __future__ import annotations

import sys

from app.cli import main
from tests.system.chaos.mutations import MUTATIONS

NONE = "none"


if __name__ == "__main__":
    if sys.argv[1] != NONE:
        MUTATIONS[sys.argv[1]].defect()
    sys.exit(main(sys.argv[2:]))
