"""The iptables mode: plans into the text of iptables-restore. Ref: pkg/proxy/iptables/proxier.go (v1.37)."""
