"""When each alert must fire and when it must not, as series by the minute."""

from __future__ import annotations

from alarms.alarm import Alarm
from alarms.load import LOAD
from alarms.memory import MEMORY
from alarms.operator_at_work import OPERATOR
from alarms.rollouts import ROLLOUTS

ALARMS = [*ROLLOUTS, *MEMORY, *LOAD, *OPERATOR]

__all__ = ["ALARMS", "Alarm"]
