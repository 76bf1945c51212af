"""A key goes into its header and nowhere else: no log, error, report, representation, structure or record holds it."""

import json
import pickle
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from tests.contract.provider_orders import WIRES, Longest, PassingClock, Reports, built, order, said
from tests.contract.provider_server import KEY, ProviderServer, Reply, breaks_off, fails_in_stream, refuses, says, sends
from workers.granulator.providers.chain import NoProviderLeft, Outcome
from workers.granulator.providers.configured import configured
from workers.granulator.providers.secret import Secret, UnusableSecret, secret_from
from workers.kit.seams import Seams

ANSWER = said(built(order()))
both_wires = pytest.mark.parametrize("wire", WIRES)


@both_wires
@pytest.mark.parametrize(
    "replies",
    [
        [says(ANSWER)],
        [says(said(built(order()), description=f"The key is {KEY}."))],
        [says(f"You sent {KEY}."), says(f"You sent {KEY} again.")],
        [refuses(400, "invalid_request_error", f"I do not like {KEY}.")],
        [refuses(401, "authentication_error", f"Incorrect API key provided: {KEY}.")],
        [refuses(429, "rate_limit_error", f"{KEY} asks too often."), says(ANSWER)],
        [refuses(500, "api_error", f"Failed for {KEY}.")] * 4,
        [sends(f"data: {KEY}\n\n".encode())],
        [sends(b"", f"text/{KEY.upper()}")],
        [breaks_off(ANSWER)] * 4,
        [fails_in_stream("invalid_request_error")],
    ],
    ids=[
        "a good answer",
        "an answer with the key",
        "prose with the key",
        "400",
        "401",
        "429",
        "500",
        "malformed",
        "a media type",
        "disconnect",
        "an error in the stream",
    ],
)
async def test_a_key_is_seen_nowhere_but_in_its_header(wire: str, replies: list[Reply]) -> None:
    reports, seams = Reports(), Seams(clock=PassingClock(), chance=Longest())
    outcome: Outcome | NoProviderLeft
    async with ProviderServer().will(*replies) as server:
        chain = configured(server.environment(wire), seams=seams)
        with capture_logs() as logs:
            try:
                outcome = await chain.make(order(), reports, [wire])
            except NoProviderLeft as error:
                outcome = error

    shown = [*map(repr, (chain, outcome, logs, reports.told, vars(chain))), str(outcome)]
    if isinstance(outcome, NoProviderLeft):
        shown += [repr(outcome.failure), repr(outcome.attempts)]
    else:
        shown += [outcome.made.structure.model_dump_json()]
    assert not any(KEY in text.lower() for text in shown)
    assert all(KEY in json.dumps(dict(asked.headers)) for asked in server.asked)
    assert not any(KEY in json.dumps(asked.body) for asked in server.asked)


def test_a_secret_shows_itself_only_where_it_is_asked_to() -> None:
    secret = Secret(KEY)

    assert [str(secret), repr(secret), f"{secret}"] == ["[secret]", "Secret()", "[secret]"]
    assert secret.reveal() == KEY
    assert secret.redacted(f"a {KEY} and a {KEY.upper()}") == "a [secret] and a [secret]"
    with pytest.raises(TypeError):
        pickle.dumps(secret)


def test_a_secret_comes_from_its_variable_or_else_from_the_file_that_another_names(tmp_path: Path) -> None:
    file = tmp_path / "key"
    file.write_text(f"{KEY}\n")

    given = secret_from({"OPENAI_API_KEY": "sk-first", "OPENAI_API_KEY_FILE": str(file)}, "OPENAI_API_KEY")
    read = secret_from({"OPENAI_API_KEY": "", "OPENAI_API_KEY_FILE": str(file)}, "OPENAI_API_KEY")

    assert given is not None
    assert read is not None
    assert (given.reveal(), read.reveal()) == ("sk-first", KEY)
    assert secret_from({"OPENAI_API_KEY": ""}, "OPENAI_API_KEY") is None


@pytest.mark.parametrize("content", ["", " \n", f"{KEY}\r\nX-Injected: 1", "schlüssel"])
def test_a_secret_that_no_header_can_carry_is_refused_without_being_said(tmp_path: Path, content: str) -> None:
    file = tmp_path / "key"
    file.write_text(content, encoding="utf-8")

    with pytest.raises(UnusableSecret) as caught:
        secret_from({"OPENAI_API_KEY_FILE": str(file)}, "OPENAI_API_KEY")

    assert str(caught.value) == "OPENAI_API_KEY_FILE holds no key that an HTTP header can carry"


def test_a_key_file_that_is_not_there_is_named_by_its_variable(tmp_path: Path) -> None:
    with pytest.raises(UnusableSecret, match="the file that OPENAI_API_KEY_FILE names cannot be read"):
        secret_from({"OPENAI_API_KEY_FILE": str(tmp_path / "absent")}, "OPENAI_API_KEY")
