"""Which server a command speaks to, and with which key."""

from pathlib import Path

import click
import pytest

from orchestrator.cli.connection import Connection, discover


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    (tmp_path / "orchestrator.json").write_text('{"url": "http://127.0.0.1:9000/", "pid": 1}')
    (tmp_path / "credentials.json").write_text('{"apiKey": "key-of-the-file"}')
    return tmp_path


def test_what_is_given_rules(data_dir: Path) -> None:
    assert discover("https://baton.example/b/", "given", data_dir) == Connection("https://baton.example/b", "given")


def test_what_is_not_given_is_what_up_left_in_the_data_directory(data_dir: Path) -> None:
    assert discover(None, None, data_dir) == Connection("http://127.0.0.1:9000", "key-of-the-file")


@pytest.mark.parametrize("folder", ["nowhere", "file/below"])
def test_without_a_data_directory_it_is_the_default_port_and_no_key(tmp_path: Path, folder: str) -> None:
    (tmp_path / "file").touch()

    assert discover(None, None, tmp_path / folder) == Connection("http://127.0.0.1:8080", None)


@pytest.mark.parametrize(
    ("content", "reason"), [("{", "is not JSON"), ("[]", 'has no text "url"'), ('{"url": 1}', 'has no text "url"')]
)
def test_a_file_that_says_nothing_useful_is_not_passed_over(data_dir: Path, content: str, reason: str) -> None:
    (data_dir / "orchestrator.json").write_text(content)

    with pytest.raises(click.UsageError, match=reason):
        discover(None, None, data_dir)


def test_a_file_that_cannot_be_read_is_not_passed_over(tmp_path: Path) -> None:
    (tmp_path / "credentials.json").mkdir()

    with pytest.raises(click.UsageError, match="cannot read"):
        discover("http://localhost", None, tmp_path)


@pytest.mark.parametrize("url", ["localhost:8080", "ftp://host", "http://", "http://host:99999", "http://[::1", "x"])
def test_what_is_not_the_url_of_a_server_is_refused(tmp_path: Path, url: str) -> None:
    with pytest.raises(click.UsageError, match="is not the URL of a server"):
        discover(url, None, tmp_path)


@pytest.mark.parametrize("key", ["two words", "line\n", "clé"])
def test_a_key_that_no_header_can_carry_is_refused(tmp_path: Path, key: str) -> None:
    with pytest.raises(click.UsageError, match="API key"):
        discover(None, key, tmp_path)
