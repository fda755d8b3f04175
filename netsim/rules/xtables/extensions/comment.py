"""``-m comment``. Ref: iptables extensions/libxt_comment.c (v1.8.9)."""

from __future__ import annotations

from netsim.rules.xtables.ast import CommentMatch
from netsim.rules.xtables.option import Extension, Option
from netsim.rules.xtables.words import quote

_LONGEST = 255


def read_comment(text: str) -> CommentMatch:
    """A comment, cut after 255 bytes as iptables-nft cuts it."""
    if len(text) * 4 <= _LONGEST:
        return CommentMatch(text)
    return CommentMatch(text.encode()[:_LONGEST].decode(errors="ignore"))


COMMENT = Extension(
    "comment",
    (Option("comment", required=True),),
    lambda given: read_comment(given.text("comment")),
    lambda match, _family: ["comment", "--comment", quote(match.text)],
    (CommentMatch,),
)
