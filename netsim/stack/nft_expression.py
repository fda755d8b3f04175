"""What an expression becomes: a function of a packet at a hook that fills a register, or ends the rule.

Ref: include/net/netfilter/nf_tables.h:struct nft_expr_ops (v6.12).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from netsim.stack.nft_registers import Register
from netsim.stack.x_tables import XtContext

Eval: TypeAlias = Callable[[XtContext], Register | None]
"""None is ``NFT_BREAK``: the packet does not have what was asked for, and the rule does not match."""
