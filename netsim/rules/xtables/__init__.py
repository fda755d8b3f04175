"""iptables: typed rules and the text of iptables-save and iptables-restore.

``parse`` reads a text, ``dump`` prints one, ``restore`` merges one into what is loaded already.
"""
