"""SVG that stands on its own: no script, no font, no file beside it. Light on paper, dark where the reader's screen is."""

from __future__ import annotations

from xml.sax.saxutils import escape

from netsim.render.draw.blocks import scene
from netsim.render.draw.layout import lay_out
from netsim.render.draw.shapes import Anchor, Figure, Font, Path, Rect, Shape, Text
from netsim.render.draw.summary import summary
from netsim.topology.model import Topology

SANS = 'system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", "DejaVu Sans", Arial, sans-serif'
MONO = 'ui-monospace, SFMono-Regular, Menlo, Consolas, "DejaVu Sans Mono", "Liberation Mono", monospace'

LIGHT = {
    ".paper": "fill:#ffffff",
    ".block": "fill:#ffffff;stroke:#64748b;stroke-width:1.3",
    ".node": "fill:#eef4fb;stroke:#3b6ea5",
    ".pod": "fill:#ffffff;stroke:#4a86c5;stroke-width:1.1",
    ".external": "fill:#fdf5ea;stroke:#b7791f",
    ".gateway": "fill:#f3f0fb;stroke:#6b57b5",
    ".outside": "fill:#f5f6f8;stroke:#64748b;stroke-dasharray:5 3",
    ".chip": "fill:#ffffff;stroke:#94a3b8;stroke-width:1",
    ".switch": "fill:#334155",
    ".bridge": "fill:#3b6ea5",
    ".wire": "fill:none;stroke:#475569;stroke-width:1.5",
    ".routed": "fill:none;stroke:#64748b;stroke-width:1.3;stroke-dasharray:2 3",
    ".heading": "fill:#0f172a",
    ".title": "fill:#0f172a",
    ".device": "fill:#1e3a5f;font-weight:700",
    ".mono": "fill:#1f2937",
    ".muted": "fill:#56616f",
    ".onbar-device": "fill:#ffffff",
    ".onbar-mono": "fill:#ffffff",
    ".out": "fill:none;stroke:#0f766e;stroke-width:2.5",
    ".back": "fill:none;stroke:#b45309;stroke-width:2.5;stroke-dasharray:7 4",
    ".out-badge": "fill:#0f766e",
    ".back-badge": "fill:#b45309",
    ".end-badge": "fill:#b91c1c",
    ".onbadge": "fill:#ffffff",
}
DARK = {
    ".paper": "fill:#0f172a",
    ".block": "fill:#1e293b;stroke:#94a3b8",
    ".node": "fill:#16253d;stroke:#6ea3dc",
    ".pod": "fill:#1b2f4d;stroke:#6ea3dc",
    ".external": "fill:#33270f;stroke:#d9a441",
    ".gateway": "fill:#261f45;stroke:#a794ec",
    ".outside": "fill:#1a2233;stroke:#94a3b8",
    ".chip": "fill:#0f172a;stroke:#64748b",
    ".switch": "fill:#cbd5e1",
    ".bridge": "fill:#7fb0e6",
    ".wire": "stroke:#a8b5c7",
    ".routed": "stroke:#94a3b8",
    ".heading": "fill:#f1f5f9",
    ".title": "fill:#f1f5f9",
    ".device": "fill:#b8d4f5",
    ".mono": "fill:#dbe4ef",
    ".muted": "fill:#a3b0c2",
    ".onbar-device": "fill:#0f172a",
    ".onbar-mono": "fill:#0f172a",
    ".out": "stroke:#2dd4bf",
    ".back": "stroke:#fbbf24",
    ".out-badge": "fill:#2dd4bf",
    ".back-badge": "fill:#fbbf24",
    ".end-badge": "fill:#f87171",
    ".onbadge": "fill:#0f172a",
}
FONTS = {
    Font.HEADING: f"font:700 {Font.HEADING.size}px {SANS}",
    Font.TITLE: f"font:600 {Font.TITLE.size}px {SANS}",
    Font.MONO: f"font:{Font.MONO.size}px {MONO}",
    Font.SMALL: f"font:{Font.SMALL.size}px {SANS}",
    Font.PORT: f"font:{Font.PORT.size}px {MONO}",
}


def draw_svg(topology: Topology, title: str) -> str:
    """The topology as an SVG document: the world outside and the gateway on top, each network a bar, nodes with their pods inside.

    The same topology gives the same bytes. Names are escaped; a namespace's or device's full name is its tooltip.
    """
    return svg_document(lay_out(scene(topology), title, summary(topology)), title, summary(topology))


def svg_document(figure: Figure, title: str, description: str) -> str:
    """A finished picture as a document."""
    size = f'width="{figure.width}" height="{figure.height}" viewBox="0 0 {figure.width} {figure.height}"'
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img" aria-labelledby="title desc">',
        f'<title id="title">{_text(title)}</title>',
        f'<desc id="desc">{_text(description)}</desc>',
        f"<style>\n{_css()}\n</style>",
        f'<rect class="paper" width="{figure.width}" height="{figure.height}"/>',
        *(_path(path) for path in figure.paths),
        *(_shape(shape) for shape in figure.shapes),
        "</svg>",
        "",
    ]
    return "\n".join(lines)


def _css() -> str:
    rules = [f".{font.name.lower()}-font{{{declaration}}}" for font, declaration in FONTS.items()]
    rules += [f"{style}{{{declarations}}}" for style, declarations in LIGHT.items()]
    dark = [f"  {style}{{{declarations}}}" for style, declarations in DARK.items()]
    return "\n".join([*rules, "@media screen and (prefers-color-scheme: dark) {", *dark, "}"])


def _shape(shape: Shape) -> str:
    match shape:
        case Rect():
            box = shape.box
            place = f'x="{box.x}" y="{box.y}" width="{box.width}" height="{box.height}" rx="{shape.radius}"'
            return _element("rect", f'class="{shape.style}" {place}', shape.tooltip)
        case Text():
            anchor = "" if shape.anchor is Anchor.START else f' text-anchor="{shape.anchor.value}"'
            style = f"{shape.font.name.lower()}-font {shape.style}"
            return f'<text class="{style}" x="{shape.x}" y="{shape.y}"{anchor}>{_text(shape.text)}</text>'
        case Path():
            return _path(shape)


def _path(path: Path) -> str:
    steps = " L".join(f"{x} {y}" for x, y in path.points)
    return _element("path", f'class="{path.style}" d="M{steps}"', path.tooltip)


def _element(name: str, attributes: str, tooltip: str) -> str:
    return f"<{name} {attributes}><title>{_text(tooltip)}</title></{name}>" if tooltip else f"<{name} {attributes}/>"


def _text(text: str) -> str:
    """Escaped, and without what XML 1.0 has no way to write (control characters)."""
    return escape("".join(character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in text))
