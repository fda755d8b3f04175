"""``-m comment``. Ref: iptables extensions/libxt_comment.c (v1.8.9)."""

from __future__ import annotations

from netsim.rules.xtables.ast import CommentMatch
from netsim.rules.xtables.option import Extension, Option
from netsim.rules.xtables.words import quote

COMMENT = Extension(
    "comment",
    (Option("comment", required=True),),
    lambda given: CommentMatch(given.text("comment")),
    lambda match, _family: ["comment", "--comment", quote(match.text)],
    (CommentMatch,),
)
