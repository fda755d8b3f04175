"""The modelled Linux network stack: one file for each part of the kernel, named as the kernel names it."""
