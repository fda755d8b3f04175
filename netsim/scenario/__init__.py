"""The composition root: from files to a world whose packets can be traced."""
