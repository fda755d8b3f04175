"""Fields that hold one of a few words."""

from __future__ import annotations

from netsim.manifest.fields import Section
from netsim.objects.path import nearest, path_text


def word(item: Section, name: str, words: tuple[str, ...], default: str) -> str | None:
    """The word of a field, the default where it is absent; None for another word, which is reported."""
    text = item.text(name)
    if text is None:
        return default
    if text.value in words:
        return text.value
    near = nearest(text.value, words)
    advice = f"did you mean {near}?" if near else f"one of {', '.join(words)}"
    item.error(f'{path_text(text.spot.path)}: unknown {name} "{text.value}"', advice, name)
    return None
