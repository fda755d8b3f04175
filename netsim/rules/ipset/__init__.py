"""ipset: typed sets and the text of ``ipset save`` and ``ipset restore``."""
