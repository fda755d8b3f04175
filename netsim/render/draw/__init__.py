"""A topology as a picture: SVG laid out by hand, Graphviz dot, and a mermaid diagram in Markdown."""

from netsim.render.draw.dot import draw_dot
from netsim.render.draw.mermaid import draw_md
from netsim.render.draw.svg import draw_svg

__all__ = ["draw_dot", "draw_md", "draw_svg"]
