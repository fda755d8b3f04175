"""How hard the properties look: quickly and at the same examples by default, thoroughly with ``--hypothesis-profile thorough``.

And how rarely the garbage collector does: the thousands of collected tests stay to the end, and looking through them again and again
took a quarter of a run.
"""

from __future__ import annotations

from hypothesis import HealthCheck, settings

from netsim.cli.main import collect_rarely

# These machines are shared and noisy: how long an example takes says nothing about the code.
_PATIENT = {"deadline": None, "suppress_health_check": [HealthCheck.too_slow]}

settings.register_profile("quick", max_examples=25, derandomize=True, **_PATIENT)
settings.register_profile("thorough", max_examples=500, **_PATIENT)
settings.load_profile("quick")

collect_rarely()
