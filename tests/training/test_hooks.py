import signal

import pytest

from training import hooks

SIGNALS = [signal.SIGINT, signal.SIGTERM, signal.SIGHUP]


@pytest.fixture
def stop(kept_signals) -> hooks.StopSignal:
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
    installed = hooks.StopSignal()
    installed.install()
    return installed


@pytest.mark.parametrize("number", SIGNALS)
def test_without_a_session_a_signal_stops_at_once(stop, number):
    with pytest.raises(hooks.Stopped) as stopped:
        signal.raise_signal(number)
    assert stopped.value.number == number


@pytest.mark.parametrize("number", SIGNALS)
def test_in_a_session_a_signal_stops_after_the_step(stop, number):
    hook = hooks.StopHook(stop, save_to=None)
    hook.after_create_session(None, None)
    hook.after_run(None, None)
    signal.raise_signal(number)
    signal.raise_signal(signal.SIGHUP)  # of a terminal that closes, after whatever was first
    with pytest.raises(hooks.Stopped) as stopped:
        hook.after_run(None, None)
    assert stopped.value.number == number


def test_a_second_ctrl_c_stops_at_once(stop):
    hooks.StopHook(stop, save_to=None).after_create_session(None, None)
    signal.raise_signal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGINT)
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL


def test_a_session_that_was_made_anew_ends_once(stop):
    training, evaluation = (hooks.StopHook(stop, save_to=None) for _ in range(2))
    training.after_create_session(None, None)
    evaluation.after_create_session(None, None)
    evaluation.end(None)
    training.after_create_session(None, None)  # by Estimator, when a process of a cluster failed
    training.end(None)
    with pytest.raises(hooks.Stopped):
        signal.raise_signal(signal.SIGINT)


def test_a_sighup_that_is_ignored_does_not_stop(kept_signals):
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    ignoring = hooks.StopSignal()
    ignoring.install()
    signal.raise_signal(signal.SIGHUP)
    assert ignoring.number is None
