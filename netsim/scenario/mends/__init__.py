"""The smallest changes that would deliver a packet, each proved by tracing again with the change made."""
