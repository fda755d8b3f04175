"""nftables: typed rules and the text of ``nft -f`` and ``nft list ruleset``."""
