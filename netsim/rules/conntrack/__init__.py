"""conntrack: entries as ``conntrack -L`` prints them."""
