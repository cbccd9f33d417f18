"""Upcasters: how the payload of an old schema version becomes the next one.

An upcaster takes the decoded payload of one version and returns that of the version after it. They chain, so each is
written once, when a version is superseded, and never changed again.
"""

from collections.abc import Callable, Mapping
from typing import Any

Payload = dict[str, Any]
Upcaster = Callable[[Payload], Payload]

UPCASTERS: Mapping[tuple[str, int], Upcaster] = {}
"""From (topic, schema version) to the function that lifts that version by one."""
