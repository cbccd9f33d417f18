"""Upcasters: functions that convert the payload of an old schema version to the next one.

They form a chain. Each is written once, when its version is superseded, and never changes after that.
"""

from collections.abc import Callable, Mapping
from typing import Any

Payload = dict[str, Any]
Upcaster = Callable[[Payload], Payload]

UPCASTERS: Mapping[tuple[str, int], Upcaster] = {}
"""By topic and the schema version that the function reads."""
