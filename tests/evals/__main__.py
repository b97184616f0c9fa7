"""Prints how well the groundedness check does. `.venv/bin/python -m tests.evals`"""

import sys

from handlers.grounding.check import check_grounding
from tests.evals.report import evaluate

if __name__ == "__main__":
    sys.stdout.write(f"{evaluate(check_grounding)}\n")
