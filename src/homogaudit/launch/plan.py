"""What the three planners return: a job that an engine can do, and what the user should agree to before."""

from dataclasses import dataclass
from pathlib import Path

from homogaudit.events import Job
from homogaudit.launch.server_choice import ServerEstimate


@dataclass(frozen=True, slots=True)
class Plan:
    """A run file that is there, and what an engine is to do with it.

    Attributes:
        estimate: What it asks of servers; `None` where none is asked.
        goes_on: Whether the run was there, unfinished, and was found by its parameters.
    """

    job: Job
    estimate: ServerEstimate | None = None
    goes_on: bool = False

    @property
    def path(self) -> Path:
        """The run file."""
        return Path(self.job.run)
