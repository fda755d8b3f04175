"""A topology as a picture, with a packet's way over it: SVG laid out by hand, Graphviz dot, and a mermaid diagram in Markdown."""

from netsim.render.draw.dot import draw_dot
from netsim.render.draw.mermaid import draw_md
from netsim.render.draw.svg import draw_svg
from netsim.render.draw.walk import draw_walk_dot, draw_walk_svg

__all__ = ["draw_dot", "draw_md", "draw_svg", "draw_walk_dot", "draw_walk_svg"]
