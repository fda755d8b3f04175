"""A user-mode-linux guest: a kernel with IPVS as a process, for a machine whose own kernel has none.

Debian's packages ``user-mode-linux`` and ``kmod`` are all that is needed, and no root file system: the guest sees the machine's own files
read-only under an overlay in its memory, runs one Python script on them, and halts. It has no network card. Booting takes 3 to 4 seconds.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Any

KERNEL = "linux.uml"
MODULES = (
    *("ip_vs", "ip_vs_rr", "ip_vs_wrr", "ip_vs_lc", "ip_vs_wlc", "ip_vs_lblc", "ip_vs_lblcr", "ip_vs_dh", "ip_vs_sh"),
    *("ip_vs_sed", "ip_vs_nq", "ip_vs_fo", "ip_vs_ovf", "ip_vs_mh", "veth", "dummy", "bridge", "br_netfilter"),
    *("iptable_nat", "iptable_filter", "iptable_mangle", "iptable_raw", "xt_set", "ip_set_hash_ip", "xt_conntrack"),
    *(
        "xt_MASQUERADE",
        "xt_mark",
        "ipip",
        "xt_tcpudp",
        "xt_nat",
        "xt_CT",
        "xt_addrtype",
        "xt_comment",
        "xt_physdev",
        "ip_set_hash_ipport",
        "ip_set_bitmap_port",
    ),
    *(
        "ip_set_hash_ipportip",
        "ip_set_hash_ipportnet",
        "ipt_REJECT",
        "xt_ipvs",
        "xt_statistic",
        "xt_LOG",
        "nf_log_syslog",
    ),
)
SECONDS = 300

_INIT = """#!/bin/sh
export PATH=/usr/sbin:/usr/bin:/sbin:/bin
mount -t proc proc /proc
insmod /usr/lib/uml/modules/$(uname -r)/kernel/fs/overlayfs/overlay.ko
mount -t tmpfs tmpfs /mnt
mkdir -p /mnt/up /mnt/work /mnt/root
mount -t overlay overlay -o lowerdir=/,upperdir=/mnt/up,workdir=/mnt/work /mnt/root
cd /mnt/root
mount -t proc proc proc
mount -t sysfs sysfs sys
mount -t devtmpfs dev dev
mount -t tmpfs tmpfs tmp
mount -t tmpfs tmpfs run
mkdir -p run/netns mnt lib/modules
mount -t hostfs -o {share} none mnt
ln -s /usr/lib/uml/modules/$(uname -r) lib/modules/$(uname -r)
chroot . /bin/sh -c '
cd /mnt
for module in {modules}; do modprobe $module 2>>log; done
ip link set lo up
{python} guest_job.py <asked.json >answered.json 2>>log
echo $? >status
sync'
echo o >/proc/sysrq-trigger
sleep 5
"""


class GuestError(RuntimeError):
    """The guest did not boot, or its job failed; the text is what it printed."""


def guest_missing() -> str | None:
    """Why no guest can run here, None where one can."""
    if shutil.which(KERNEL) is None or not Path("/usr/lib/uml/modules").is_dir():
        return "Debian's package user-mode-linux is not installed"
    return "ipvsadm is not installed" if shutil.which("ipvsadm") is None else None


def run_in_guest(job: Path, asked: Any) -> Any:
    """What the Python script ``job`` prints as JSON, given ``asked`` as JSON on its standard input. Raises GuestError.

    A guest that dies is tried once more: one in a hundred does, for no reason that is known.
    """
    try:
        return _attempt(job, asked)
    except GuestError:
        return _attempt(job, asked)


def _attempt(job: Path, asked: Any) -> Any:
    with tempfile.TemporaryDirectory(prefix="nsim-uml-", dir="/var/tmp") as name:
        share = Path(name)
        share.chmod(0o755)
        shutil.copy(job, share / "guest_job.py")
        (share / "asked.json").write_text(json.dumps(asked), encoding="utf-8")
        python = shutil.which("python3", path="/usr/bin:/bin")
        init = share / "init"
        init.write_text(_INIT.format(share=share, modules=" ".join(MODULES), python=python), encoding="utf-8")
        init.chmod(0o755)
        told = _boot(init)
        status = share / "status"
        if not status.is_file() or status.read_text().strip() != "0":
            log = share / "log"
            raise GuestError((log.read_text() if log.is_file() else "") + told[-2000:])
        return json.loads((share / "answered.json").read_text(encoding="utf-8"))


def _boot(init: Path) -> str:
    """Pinned to one CPU: a guest that moves between CPUs is five times slower."""
    command = ["taskset", "-c", "0", KERNEL, "mem=512M", "rootfstype=hostfs", "rootflags=/", "ro", f"init={init}"]
    guest = subprocess.Popen(
        [*command, "con=null", "con0=null,fd:1", "quiet"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )
    try:
        return guest.communicate(timeout=SECONDS)[0].decode(errors="replace")
    except subprocess.TimeoutExpired as late:
        log = init.with_name("log")
        told = log.read_text() if log.is_file() else ""
        raise GuestError(f"the guest did not halt within {SECONDS} s\n{told[-2000:]}") from late
    finally:
        with suppress(ProcessLookupError):  # its helper processes stay behind when it is killed alone
            os.killpg(guest.pid, signal.SIGKILL)
