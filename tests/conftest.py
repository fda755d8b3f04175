"""How hard the properties look: quickly and at the same examples by default, thoroughly with ``--hypothesis-profile thorough``."""

from __future__ import annotations

from hypothesis import HealthCheck, settings

# These machines are shared and noisy: how long an example takes says nothing about the code.
_PATIENT = {"deadline": None, "suppress_health_check": [HealthCheck.too_slow]}

settings.register_profile("quick", max_examples=25, derandomize=True, **_PATIENT)
settings.register_profile("thorough", max_examples=500, **_PATIENT)
settings.load_profile("quick")
