"""The recorder's quirks in ipvs mode."""

import pytest

from proxy.replay.ipvs_recorder import RecordedDevice, ipvsadm_as_recorded


def test_the_flag_of_mh_is_written_by_a_number():
    text = "-A -t 10.96.0.1:80 -s mh -p 60 -b mh-port\n-a -t 10.96.0.1:80 -r 10.244.1.2:80 -m -w 1\n"
    assert ipvsadm_as_recorded(text) == text.replace("mh-port", "flag-1")
    assert ipvsadm_as_recorded("-A -t 10.96.0.1:80 -s rr\n") == "-A -t 10.96.0.1:80 -s rr\n"


def test_a_later_sync_writes_into_an_earlier_listing_while_the_array_has_room():
    device = RecordedDevice()
    first = device.change("cbe", "")
    assert first.text() == "b\nc\ne\n"
    second = device.change("d", "")
    assert (first.text(), second.text()) == ("b\nc\nd\n", "b\nc\nd\ne\n")


def test_an_unbind_leaves_the_last_address_behind():
    device = RecordedDevice()
    first = device.change("abcd", "")
    second = device.change("", "ab")
    assert (first.text(), second.text()) == ("c\nd\nd\nd\n", "c\nd\n")


def test_a_full_array_is_left_to_the_earlier_listing():
    device = RecordedDevice()
    first = device.change("bcde", "")
    second = device.change("a", "")
    third = device.change("", "e")
    assert first.text() == "b\nc\nd\ne\n"
    assert (second.text(), third.text()) == ("a\nb\nc\nd\ne\n", "a\nb\nc\nd\n")


@pytest.mark.parametrize(("held", "shows"), [(70, True), (71, False), (142, True), (143, False)])
def test_a_slice_of_strings_grows_as_gos_allocator_makes_it(held, shows):
    """64 strings do not fit where 64 strings and a header must, so the next size up is taken and filled."""
    device = RecordedDevice()
    first = device.change([f"b{i:03}" for i in range(held)], "")
    device.change(["a"], "")
    assert first.text().startswith("a\n") is shows
