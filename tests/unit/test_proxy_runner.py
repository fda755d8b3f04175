"""When syncs run."""

import pytest

from proxy.config.duration import HOUR, SECOND
from proxy.config.model import KubeProxyConfiguration
from proxy.runner import BoundedFrequencyRunner, sync_runner


def runner():
    return BoundedFrequencyRunner(min_interval=10, retry_interval=30, max_interval=100)


def test_the_first_request_runs_at_once():
    subject = runner()
    subject.request(5)
    assert subject.is_due(5)


def test_requests_wait_for_the_shortest_interval_and_become_one():
    subject = runner()
    subject.ran(20)
    subject.request(21)
    subject.request(25)
    assert not subject.is_due(29)
    assert subject.due_at == 30
    subject.ran(30)
    assert subject.due_at == 130


def test_without_a_request_it_runs_once_in_the_longest_interval():
    subject = runner()
    assert subject.due_at == 100
    subject.ran(100)
    assert subject.due_at == 200


def test_a_failure_is_repeated_and_a_success_ends_that():
    subject = runner()
    subject.ran(0, succeeded=False)
    assert subject.due_at == 30
    subject.ran(30)
    assert subject.due_at == 130


def test_a_request_comes_before_a_retry():
    subject = runner()
    subject.ran(0, succeeded=False)
    subject.request(3)
    assert subject.due_at == 10


def test_intervals_must_fit():
    with pytest.raises(ValueError, match="max_interval"):
        BoundedFrequencyRunner(min_interval=2, retry_interval=1, max_interval=1)


def test_a_proxiers_runner_follows_its_configuration():
    subject = sync_runner(KubeProxyConfiguration())
    assert subject.due_at == HOUR
    subject.ran(0, succeeded=False)
    assert subject.due_at == 30 * SECOND
    subject.request(0)
    assert subject.due_at == SECOND
