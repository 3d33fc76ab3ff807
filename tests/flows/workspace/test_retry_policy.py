import pickle

import pytest

from fer_data.stages.input_changes import changed_error
from flows.workspace.retry_policy import StageError, failure_of, timed_out

OURS = "error: 'split.num_folds': got 1: input should be greater than or equal to 2"
OF_DVC = "ERROR: failed to reproduce 'split': failed to run: python -m x, exited with 1"


def test_a_stage_s_own_line_is_the_reason_and_cannot_pass() -> None:
    failure = failure_of("split", 255, ["Running stage 'split':", OURS, OF_DVC])
    assert str(failure) == f"split: {OURS.removeprefix('error: ')}"
    assert not failure.retryable


@pytest.mark.parametrize(
    ("code", "lines"),
    [
        (137, ["Epoch 1"]),
        (143, []),
        (255, ["Epoch 1", OF_DVC.replace("exited with 1", "exited with -9")]),
        (255, ["Killed", OF_DVC.replace("exited with 1", "exited with 137")]),
        (255, ["error: No space left on device: models/a: nothing half-written", OF_DVC]),
        (255, ["ERROR: unexpected error - [Errno 28] No space left on device"]),
        (255, ["ERROR: unexpected error - [Errno 111] Connection refused"]),
        (255, ["ERROR: Unable to read RWLock-file '.dvc/tmp/rwlock'. JSON structure is corrupted"]),
        (1, ["ERROR: failed to transfer 'c4' - Cannot connect to host 127.0.0.1:9 ssl:default"]),
        (255, ["ERROR: Could not connect to the endpoint URL: http://127.0.0.1:9/store"]),
        (255, ["socket.gaierror: [Errno -3] Temporary failure in name resolution", OF_DVC]),
    ],
)
def test_what_a_machine_did_can_pass(code: int, lines: list[str]) -> None:
    assert failure_of("train@a", code, lines).retryable


def test_a_stage_whose_inputs_were_edited_is_worth_another_try_at_once() -> None:
    line = str(changed_error(["data/relabels.csv"], "rebalance"))
    failure = failure_of("rebalance", 255, [f"error: {line}", OF_DVC])
    assert failure.retryable
    assert failure.is_of_an_edit
    assert not failure_of("split", 255, [OURS, OF_DVC]).is_of_an_edit


@pytest.mark.parametrize("said", ["-9", "137"])
def test_a_signal_is_named_whichever_way_dvc_s_shell_tells_it(said: str) -> None:
    failure = failure_of("train@a", 255, [OF_DVC.replace("exited with 1", f"exited with {said}")])
    assert str(failure) == "train@a: killed by signal 9"


@pytest.mark.parametrize(
    "lines",
    [
        [OF_DVC],
        ["Traceback (most recent call last):", "ValueError: shapes differ", OF_DVC],
        ["ERROR: failed to reproduce 'x': output 'y' is already specified"],
        [],
    ],
)
def test_what_the_code_or_the_data_did_cannot(lines: list[str]) -> None:
    assert not failure_of("train@a", 255, lines).retryable


def test_a_stage_that_took_too_long_says_which_setting_ended_it() -> None:
    failure = timed_out("train@a", 0.5)
    assert failure.retryable
    assert str(failure) == "train@a: ended after 0.5 minutes (flows.timeout_minutes)"


def test_a_failure_travels_between_machines() -> None:
    copy = pickle.loads(pickle.dumps(StageError("train@a", "killed by signal 9", True)))
    assert (copy.stage, copy.reason, copy.retryable) == ("train@a", "killed by signal 9", True)
