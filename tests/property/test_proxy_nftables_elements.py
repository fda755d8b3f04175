"""Elements that several service ports ask for: the port whose name sorts last decides, in whatever order they came and went."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from proxy.names import ServicePortName
from proxy.nftables.elements import Element, ElementStorage

names = st.builds(ServicePortName, st.just("ns"), st.sampled_from("abcde"), st.just(""), st.just("TCP"))
syncs = st.lists(st.tuples(names, st.sampled_from("xy"), st.sampled_from(["", "1", "2"])), max_size=8)


@given(st.lists(syncs, max_size=6))
@settings(max_examples=150, deadline=None)
def test_the_last_name_that_asks_decides(rounds: list[list[tuple[ServicePortName, str, str]]]) -> None:
    storage = ElementStorage("ip kube-proxy", "m")
    asked: dict[str, dict[ServicePortName, str]] = {}
    for changes in rounds:
        for name, key, value in changes:  # no value: the service port no longer asks
            if value:
                asked.setdefault(key, {})[name] = value
                storage.claim(name, Element("m", key, value))
            else:
                asked.get(key, {}).pop(name, None)
                storage.release(name, key)
        storage.settle()
        wanted = {key: claims[max(claims)] for key, claims in asked.items() if claims}
        assert {key: element.value for key, element in storage.snapshot().items()} == wanted
