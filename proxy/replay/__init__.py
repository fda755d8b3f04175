"""Playing recorded cases: a node, a configuration and the objects of each sync in; the texts of each sync out."""
