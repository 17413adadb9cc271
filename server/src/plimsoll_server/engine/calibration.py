"""The load line of a device at the start of its engine: measured, or remembered and compared with the room there is."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

from plimsoll_server.engine.calibration_file import recall, remember, sized
from plimsoll_server.engine.fit import fitted
from plimsoll_server.engine.memory import Budget
from plimsoll_server.engine.trials import Trials
from plimsoll_server.types import Calibration


@dataclass(frozen=True, slots=True)
class Calibrator:
    """`kept`: the file of earlier trials, if any is kept."""

    budget: Budget
    kept: Path | None

    def calibrate(self, trials: Trials, most: int) -> Calibration | None:
        """With batches of up to `most` tokens; None where nobody tells how much memory is in use."""
        began = time.monotonic()
        kept = sized(self.kept, trials.longest, most)
        seen = recall(kept)
        if not seen:
            trials.free()
            self.budget.hold()
            tried = trials.run(most, self.budget.room())
            seen = tried.trials
            if tried.sufficed:
                remember(kept, seen)
        # Threads have come with the first passes, and their stacks are mapped whole and hardly touched. What is given
        # back of a heap stays mapped too, but the next batch touches it again: so this comes before.
        self.budget.hold()
        trials.free()
        if not seen:
            return None
        per_token, per_batch = fitted(seen, trials.meter.telling)
        seconds = time.monotonic() - began
        return Calibration(per_token, per_batch, self.budget.room(), seconds, seen, self.budget.promised)
