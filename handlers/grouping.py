"""By what spending is added up; apart, as the command line names it before it opens a database."""

from typing import Literal, TypeAlias

Grouping: TypeAlias = Literal["day", "run", "stock", "model"]
