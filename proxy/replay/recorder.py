"""A quirk of the recorder of the reference cases, and nothing that kube-proxy does.

READ THIS BEFORE COMPARING. The ``.rules`` files were printed by a fake of iptables. It keeps the rules of built-in chains
as bare words, so its recorder put quotes around the comments of jumps again: everything after ``--comment`` up to a final
`` -j WORD``, unless a quote stands there already. That caught other rules with a comment of one word, too:

    what kube-proxy sends (``.restore``):  -m comment --comment default/web -s 10.244.1.2 -j KUBE-MARK-MASQ
    what the recorder wrote (``.rules``):  -m comment --comment "default/web -s 10.244.1.2" -j KUBE-MARK-MASQ

Loaded into a kernel, the second would have lost its match. So the proxy writes the first everywhere, that is what
netsim walks, and ``as_recorded`` is for comparing with, and writing of, ``.rules`` files only. A rule that goes on after
its target's name (``-j DNAT --to-destination …``) does not fit the pattern and stands as it was sent.
"""

from __future__ import annotations

import re

_UNQUOTED = re.compile(r'^(?P<head>-A .*?--comment )(?P<body>[^"\n].*)(?P<jump> -j [^ \n]+)$', re.MULTILINE)


def as_recorded(rules: str) -> str:
    """The text of ``.rules`` as the recorder would have written it. Text that has been through it stays as it is."""
    return _UNQUOTED.sub(r'\g<head>"\g<body>"\g<jump>', rules)
