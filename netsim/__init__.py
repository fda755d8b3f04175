"""netsim: where does this packet go, and why?"""

__version__ = "0.1.0"
