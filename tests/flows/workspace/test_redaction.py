"""What is logged holds no secrets."""

import logging
from pathlib import Path

import pytest

from fer_data.core.errors import UserError
from fer_data.stages.settings import SettingsError, read_settings
from flows.pipeline.notifications import Failure, tell
from flows.publishing.publish_settings import PublishSettings
from flows.workspace.client import git
from flows.workspace.redaction import without_passwords
from flows.workspace.retry_policy import StageError

FAILURE = Failure("it failed", "rebuild", "hare", "Failed", "why", None, "now")


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("https://ann:secret@a.example/b", "https://a.example/b"),
        ("'s3://secret@a', ssh://u:se@cret@b:22/x", "'s3://a', ssh://b:22/x"),
        ("sftp://u:se'cret@a/b", "sftp://a/b"),
        ("sftp://u:se/cret@a/b is no address", "sftp://a/b is no address"),
        ("sftp://u:12/34@a.example/b", "sftp://a.example/b"),
        ("'s3://u:12/3@4/5@10.0.0.1:22/b'", "'s3://10.0.0.1:22/b'"),
        ("ssh://u:1/2@[::1]/x, ssh://u:1/2@localhost/x", "ssh://[::1]/x, ssh://localhost/x"),
        ("http://a:80/pkg@1.2 http://a:80/x@v1.2 http://a:80/c@2x.png", None),
        ("http://a.example:80/ann@b.example http://localhost:80/ann@b.example", None),
        ("http://a:80/@b s3://a/b:c@d http://[::1]/a@b", None),
        ("mail ann@a.example about https://a.example/@b", None),
    ],
)
def test_urls_are_shown_without_passwords(text: str, shown: str | None) -> None:
    assert without_passwords(text) == (shown or text)


@pytest.mark.parametrize(
    "line",
    ["webhook: https:/hooks.example/secret", "webhook: [secret]", "destination: {secret: 1}"],
)
def test_a_malformed_setting_that_may_be_secret_is_not_shown(tmp_path: Path, line: str) -> None:
    file = tmp_path / "params.yaml"
    name = line.partition(":")[0]
    rest = "webhook: null" if name == "destination" else "destination: null"
    file.write_text(f"publish:\n  {line}\n  {rest}\n")
    with pytest.raises(
        SettingsError, match=rf"'publish\.{name}': got what may be a secret, so not shown"
    ) as e:
        read_settings(PublishSettings, "publish", file=file)
    assert "secret" not in str(e.value).replace("be a secret", "")


def test_a_webhook_without_a_host_is_not_logged(caplog: pytest.LogCaptureFixture) -> None:
    logger = logging.getLogger("flow")
    assert not tell(FAILURE, webhook="https:///services/secret", logger=logger)
    assert caplog.messages == [
        "notification failed: publish.webhook is a URL without a host, which holds no address"
    ]


def test_reasons_hold_no_password(tmp_path: Path) -> None:
    assert "secret" not in str(StageError("train", "no https://ann:secret@a.example/", False))
    with pytest.raises(UserError) as caught:
        git("clone", "https://ann:secret@127.0.0.1:9/x", "copy", cwd=tmp_path)
    assert "secret" not in str(caught.value)
