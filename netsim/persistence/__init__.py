"""State that outlives a command: the one place where the control plane's keys are files."""
