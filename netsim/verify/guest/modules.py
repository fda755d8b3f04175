"""What a guest's kernel loads before anything runs in it, and why. Everything else it loads by itself, when it is asked for."""

from __future__ import annotations

FOLDER = "/usr/lib/uml/modules"
"""Where Debian's package user-mode-linux has the modules of its kernel."""

OVERLAY = "kernel/fs/overlayfs/overlay.ko"

MODULES: tuple[tuple[str, str], ...] = (
    # module, why it must be there before it is asked for
    ("ipv6", "net.ipv6 sysctls are written before any address"),
    ("br_netfilter", "nothing asks for it, and net.bridge sysctls begin with it"),
    ("nf_conntrack", "net.netfilter sysctls are written before any rule"),
    ("ip_vs", "net.ipv4.vs sysctls are written before any virtual server"),
    ("nfnetlink_log", "rules are traced through it, and a namespace chooses it by a sysctl"),
    ("nf_log_syslog", "-j TRACE asks for a logger of packets"),
    ("nf_conntrack_netlink", "connections are read and emptied over netlink"),
)

SYSCTLS: tuple[tuple[str, str, str], ...] = (
    # sysctl of the guest itself, value, why
    ("net/netfilter/nf_log_all_netns", "1", "namespaces other than the first may log"),
    ("net/core/fb_tunnels_only_for_init_net", "1", "once ipip is asked for, tunl0 is only where the topology has it"),
    ("kernel/printk", "1 4 1 7", "only what is wrong is printed on the guest's console"),
)
