"""The gallery of failures: stories that people met, each shown by shipped topologies, with what mends it proved."""
