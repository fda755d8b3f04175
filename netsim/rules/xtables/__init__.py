"""iptables and ip6tables: rules as ``iptables-restore`` reads them and ``iptables-save`` prints them."""
