"""Files → Kubernetes objects and the Cluster document.

``load`` is the entry. Every error of a load is found and told at once, each with file, line, column, the line's text and a
help line (``netsim.manifest.diagnostics``).
"""

from netsim.manifest.diagnostics import Diagnostic, LoadError, Severity
from netsim.manifest.load import Loaded, load

__all__ = ["Diagnostic", "LoadError", "Loaded", "Severity", "load"]
