"""IPVS: typed virtual and real servers and the text of ``ipvsadm -Sn`` and ``ipvsadm -R``."""
