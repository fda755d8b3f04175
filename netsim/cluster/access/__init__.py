"""Who asks (authentication), and whether they may (authorization): what a request meets before admission."""
