"""kubeadm's ConfigMap configures the emulated kube-proxies."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from netsim.manifest import LoadError, load
from netsim.manifest.load import load_text
from netsim.scenario.build import world_of
from proxy.config.model import ProxyMode

CONFIGMAP = Path(__file__).parents[1] / "data" / "kubeadm-kube-proxy.yaml"


def test_a_real_clusters_configmap_works_unchanged() -> None:
    world = world_of(load([CONFIGMAP]))
    assert {proxy.configuration.mode for proxy in world.proxies.values()} == {ProxyMode.IPTABLES}
    assert [proxy.node.name for proxy in world.proxies.values()] == ["node1", "node2"]


def test_what_it_says_counts() -> None:
    world = world_of(load_text(CONFIGMAP.read_text().replace('mode: ""', "mode: nftables")))
    assert {proxy.configuration.mode for proxy in world.proxies.values()} == {ProxyMode.NFTABLES}


@pytest.mark.parametrize("form", ["block", "quoted"])
def test_mistakes_have_their_place(form: str) -> None:
    text = CONFIGMAP.read_text().replace("  masqueradeBit: null", "  masqueradeBit: 77")
    if form == "quoted":
        inner = text.split("config.conf: |-\n")[1].split("  kubeconfig.conf")[0]
        plain = "\n".join(line[4:] for line in inner.splitlines())
        text = text.split("  config.conf")[0] + f"  config.conf: {json.dumps(plain)}\n"
    with pytest.raises(LoadError) as caught:
        world_of(load_text(text, "cm.yaml"))
    places = {(found.line, found.column) for found in caught.value.diagnostics}
    assert places == ({(37, 7)} if form == "block" else {(7, 3)})


@pytest.mark.parametrize(
    ("inner", "says"),
    [
        pytest.param("a: [", "config.conf: not valid YAML", id="no YAML"),
        pytest.param("just text", "config.conf: expected a KubeProxyConfiguration", id="no mapping"),
    ],
)
def test_a_text_that_is_no_configuration(inner: str, says: str) -> None:
    text = f"""
apiVersion: v1
kind: ConfigMap
metadata: {{name: kube-proxy, namespace: kube-system}}
data:
  config.conf: |
    {inner}
"""
    with pytest.raises(LoadError, match=says):
        load_text(text)


def test_another_configmap_is_left_alone() -> None:
    assert load_text(CONFIGMAP.read_text().replace("name: kube-proxy", "name: other")).cluster.kube_proxy is None
