"""A user-mode-linux guest: a kernel as a process, for what this machine's own kernel lacks."""
