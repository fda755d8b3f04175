"""kube-proxy's configuration as kubeadm keeps it in a cluster: the text ``config.conf`` in the ConfigMap ``kube-system/kube-proxy``.

Ref: cmd/kubeadm/app/phases/addons/proxy/manifests.go (v1.37). So what ``kubectl get configmap -n kube-system kube-proxy -o yaml``
prints configures the emulated kube-proxies too.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping

from netsim.manifest.document import read_documents
from netsim.manifest.entries import Entry, Report
from netsim.manifest.located import Located
from netsim.objects.meta import Key, Object

KEY = Key("ConfigMap", "kube-system", "kube-proxy")
FILE = "config.conf"
_PATH = ("data", FILE)


def configuration_in(entry: Entry, item: Object, report: Report) -> Iterator[Entry]:
    """The KubeProxyConfiguration inside an object, with its places in the object's file; nothing where the object is another."""
    node = entry.node.inside(_PATH)
    if item.key != KEY or node is None or not isinstance(node.value, str):
        return
    documents, faults = read_documents(_in_place(node, entry) if node.block else node.value)
    for fault in faults:
        report.error(entry, _PATH, f"{FILE}: {fault.message}", fault.advice)
    for document in documents:
        if not node.block:
            _point_at(document, *entry.node.at(_PATH))
        if isinstance(document.value, Mapping):
            yield Entry(entry.file, document, document.value)
        else:
            report.error(entry, _PATH, f"{FILE}: expected a KubeProxyConfiguration")


def _in_place(node: Located, entry: Entry) -> str:
    """The text of a block with its lines and columns in the file: as many empty lines before it, and its indentation."""
    first = entry.file.line(node.line + 1)
    indent = len(first) - len(first.lstrip())
    return "\n" * node.line + textwrap.indent(str(node.value), " " * indent)


def _point_at(document: Located, line: int, column: int) -> None:
    """Put every value at one place: the escapes of a quoted text leave no lines to count."""
    waiting = [document]
    while waiting:
        here = waiting.pop()
        here.line, here.column = line, column
        here.keys = dict.fromkeys(here.keys, (line, column))
        waiting += [*here.entries.values(), *here.items]
