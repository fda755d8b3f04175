"""What lies under the API server: keys and values with revisions, transactions, leases and compaction, as etcd v3 has them.

``store.KeyValueStore`` is the seam: ``memory.MemoryStore`` is the default, ``netsim.persistence.sqlite`` keeps a file, and a client of
a real etcd would stand in the same place.
"""
