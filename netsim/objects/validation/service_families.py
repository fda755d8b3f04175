"""A Service's addresses and families among themselves, and what of them may change.

Ref: pkg/apis/core/validation/validation.go:{ValidateServiceClusterIPsRelatedFields,validateUpgradeDowngrade*}() (v1.37).
"""

from __future__ import annotations

from collections.abc import Iterator

from netsim.objects.json import Document, Json
from netsim.objects.path import Path, Problem
from netsim.objects.validation import addresses
from netsim.objects.validation.findings import duplicate, each_invalid, forbidden, invalid, unsupported
from netsim.objects.validation.parts import list_at, number_at, text_at

_FAMILIES = ("IPv4", "IPv6")
_POLICIES = ("PreferDualStack", "RequireDualStack", "SingleStack")
_IPS: Path = ("spec", "clusterIPs")
_FIXED = "may not change once set"


def cluster_ips_of(spec: Document) -> tuple[str, ...]:
    """``clusterIPs``, or what the API server fills in for ``clusterIP`` alone."""
    given = tuple(str(text) for text in list_at(spec, "clusterIPs"))
    alone = text_at(spec, "clusterIP")
    return given or ((alone,) if alone else ())


def is_headless(spec: Document) -> bool:
    """True where ``None`` is the only address."""
    return cluster_ips_of(spec) == ("None",)


def check_cluster_ips(spec: Document) -> Iterator[Problem]:
    """Whether addresses, families and policy are any, and agree."""
    first, ips = text_at(spec, "clusterIP"), cluster_ips_of(spec)
    if first and ips[0] != first:
        yield invalid(_IPS, list(ips), "first value must match `clusterIP`")
    elif ips and not first:
        yield invalid(_IPS, list(ips), "must be empty when `clusterIP` is not specified")
    seen: set[Json] = set()
    for index, family in enumerate(list_at(spec, "ipFamilies")):
        path: Path = ("spec", "ipFamilies", index)
        if family not in _FAMILIES:
            yield unsupported(path, str(family), _FAMILIES)
        if family in seen:
            yield duplicate(path, family)
        seen.add(family)
    policy = text_at(spec, "ipFamilyPolicy")
    if policy and policy not in _POLICIES:
        yield unsupported(("spec", "ipFamilyPolicy"), policy, _POLICIES)
    wrong = list(_unreadable(spec, ips))
    yield from wrong
    if len(ips) > 2:
        yield invalid(_IPS, list(ips), "may only hold up to 2 values")
    if not wrong:
        yield from _disagreeing(spec, ips)


def _unreadable(spec: Document, ips: tuple[str, ...]) -> Iterator[Problem]:
    listed = bool(list_at(spec, "clusterIPs"))
    for index, text in enumerate(ips):
        if index == 0 and text == "None":
            if len(ips) > 1:
                yield invalid(_IPS, list(ips), "'None' must be the first and only value")
            continue
        at = (*_IPS, index)
        yield from each_invalid(at if listed else ("spec", "clusterIP"), text, addresses.address(text), at=at)


def _disagreeing(spec: Document, ips: tuple[str, ...]) -> Iterator[Problem]:
    versions = [found.version for text in ips if (found := addresses.read_address(text)) is not None]
    if len(ips) > 1 and (len(ips) > 2 or len(set(versions)) < 2):
        yield invalid(_IPS, list(ips), "may specify no more than one IP for each IP family")
    listed = bool(list_at(spec, "clusterIPs"))
    for index, (family, version) in enumerate(zip(list_at(spec, "ipFamilies"), versions, strict=False)):
        if family in _FAMILIES and family != f"IPv{version}":
            at = (*_IPS, index)
            why = f"expected an {family} value as indicated by `ipFamilies[{index}]`"
            yield invalid(at if listed else ("spec", "clusterIP"), ips[index], why, at=at)


# --- changes ----------------------------------------------------------------------------------------------------


def check_service_change(old: Document, new: Document) -> Iterator[Problem]:
    """What a change of a Service's spec may not do. Both are as they are stored: with addresses and families."""
    if "ExternalName" not in (old.get("type"), new.get("type")):
        if not (is_headless(old) and is_headless(new)):
            yield from _addresses_changed(old, new)
        if not is_headless(old) and not is_headless(new):
            yield from _families_changed(old, new)
    if old.get("type") == new.get("type") == "LoadBalancer":
        if old.get("loadBalancerClass") != new.get("loadBalancerClass"):
            yield invalid(("spec", "loadBalancerClass"), new.get("loadBalancerClass"), _FIXED)
        checked = all(spec.get("externalTrafficPolicy") == "Local" for spec in (old, new))
        if checked and number_at(old, "healthCheckNodePort") != number_at(new, "healthCheckNodePort"):
            yield forbidden(("spec", "healthCheckNodePort"), "field is immutable")


def _addresses_changed(old: Document, new: Document) -> Iterator[Problem]:
    given, wanted = list_at(old, "clusterIPs"), list_at(new, "clusterIPs")
    if len(given) == len(wanted):
        for index, (before, after) in enumerate(zip(given, wanted, strict=True)):
            if before != after:
                yield invalid((*_IPS, index), list(wanted), _FIXED)
        return
    if not wanted:
        yield invalid((*_IPS, 0), list(wanted), "primary clusterIP can not be unset")
    elif given and given[0] != wanted[0]:
        yield invalid((*_IPS, 0), list(wanted), _FIXED)
    if len(wanted) == 1 < len(given) and new.get("ipFamilyPolicy") != "SingleStack":
        why = "must be set to 'SingleStack' when releasing the secondary clusterIP"
        yield invalid(("spec", "ipFamilyPolicy"), new.get("ipFamilyPolicy"), why)


def _families_changed(old: Document, new: Document) -> Iterator[Problem]:
    path: Path = ("spec", "ipFamilies", 0)
    given, wanted = list_at(old, "ipFamilies"), list_at(new, "ipFamilies")
    if len(given) == len(wanted):
        for before, after in zip(given, wanted, strict=True):
            if before != after:
                yield invalid(path, list(wanted), _FIXED)
        return
    if given and wanted and given[0] != wanted[0]:
        yield invalid(path, list(list_at(new, "clusterIPs")), _FIXED)  # the API server shows the addresses here
    if len(wanted) == 1 < len(given) and new.get("ipFamilyPolicy") != "SingleStack":
        why = "must be set to 'SingleStack' when releasing the secondary ipFamily"
        yield invalid(("spec", "ipFamilyPolicy"), new.get("ipFamilyPolicy"), why)
