"""The client against a real HTTP server: what is sent, what is asked again, what it may cost, and where the key goes."""

from __future__ import annotations

import copy
import logging
import pickle
import time
import traceback

import pytest

from dnaclip.errors import InputError, LanguageModelError
from dnaclip.llm import ChatClient
from dnaclip.llm._http import MOST_BYTES

QUESTION = [{"role": "user", "content": "What is TP53?"}]


def test_asks_and_counts(endpoint, client, key):
    endpoint.answers = [endpoint.says("A gene.")]
    asking = client(prices=(2.0, 8.0), options={"seed": 7, "temperature": None})
    assert asking(QUESTION) == "A gene."
    assert endpoint.requests == [{"model": "a-model", "messages": QUESTION, "max_tokens": 2000, "seed": 7}]
    assert endpoint.headers[0]["Authorization"] == f"Bearer {key}"
    assert asking.usage == {
        "calls": 1,
        "cached": 0,
        "prompt_tokens": 100,
        "completion_tokens": 10,
        "cost": pytest.approx((100 * 2 + 10 * 8) / 1e6),
    }


@pytest.mark.parametrize("status", [408, 409, 425, 429, 500, 502, 503, 504, 529])
def test_asks_again_where_that_may_help(endpoint, client, status):
    endpoint.answers = [endpoint.error(status), endpoint.error(status), endpoint.says("A gene.")]
    asking = client()
    assert asking(QUESTION) == "A gene."
    assert asking.usage["calls"] == 3
    assert 0.5 <= client.pauses[0] <= 0.625
    assert 1.0 <= client.pauses[1] <= 1.25


@pytest.mark.parametrize("status", [300, 307, 400, 401, 403, 404, 422])
def test_asks_once_where_it_cannot_help(endpoint, client, status):
    endpoint.answers = [endpoint.error(status, "no such model", Location="http://127.0.0.1:9/elsewhere")]
    asking = client()
    with pytest.raises(LanguageModelError, match=f"answered {status}"):
        asking(QUESTION)
    assert asking.usage["calls"] == 1


def test_gives_up_after_max_retries(endpoint, client):
    endpoint.answers = [endpoint.error(500, "out of luck")]
    asking = client(max_retries=2)
    with pytest.raises(LanguageModelError, match=r"answered 500: out of luck \(3 attempts\)\."):
        asking(QUESTION)
    assert len(client.pauses) == 2


@pytest.mark.parametrize(("value", "pause"), [("3", 3.0), ("0", 0.0), ("Thu, 01 Jan 1970 00:00:00 GMT", 0.0)])
def test_keeps_to_retry_after(endpoint, client, value, pause):
    endpoint.answers = [endpoint.error(429, Retry_After=value), endpoint.says("A gene.")]
    assert client()(QUESTION) == "A gene."
    assert client.pauses == [pause]


def test_retry_after_that_is_nonsense_is_ignored(endpoint, client):
    endpoint.answers = [endpoint.error(429, Retry_After="soon"), endpoint.says("A gene.")]
    assert client()(QUESTION) == "A gene."
    assert 0.5 <= client.pauses[0] <= 0.625


def test_does_not_wait_for_an_hour(endpoint, client):
    endpoint.answers = [endpoint.error(429, Retry_After="3600"), endpoint.says("A gene.")]
    with pytest.raises(LanguageModelError, match="asks to wait 3600 seconds"):
        client()(QUESTION)
    assert client.pauses == []


@pytest.mark.parametrize("how", ["stalls", "drips"])
def test_time_is_limited(endpoint, client, how):
    endpoint.answers = [getattr(endpoint, how)()]
    start = time.monotonic()
    with pytest.raises(LanguageModelError, match=r"within 0.2 seconds \(2 attempts\)"):
        client(timeout=0.2, max_retries=1)(QUESTION)
    assert time.monotonic() - start < 3


def test_stalls_then_answers(endpoint, client):
    endpoint.answers = [endpoint.stalls(), endpoint.says("A gene.")]
    assert client(timeout=0.3)(QUESTION) == "A gene."


def test_nobody_there(client, monkeypatch):
    monkeypatch.setenv("NO_PROXY", "*")
    asking = ChatClient("m", base_url="http://127.0.0.1:9/v1", api_key="", max_retries=1)
    with pytest.raises(
        LanguageModelError, match=r"could not be reached, or broke off \(ConnectionError\) \(2 attempts\)"
    ):
        asking(QUESTION)


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"<html>welcome</html>", "not a JSON object"),
        (b"[1]", "not a JSON object"),
        (b"{}", r"no choices\[0\]"),
        (b'{"choices": []}', r"no choices\[0\]"),
        (b'{"choices": [{"message": {"content": [1]}}]}', r"no choices\[0\]"),
        (b'{"choices": [{"message": null}]}', r"no choices\[0\]"),
        (b'"' + b"x" * (MOST_BYTES + 10) + b'"', "sent more than"),
    ],
)
def test_what_is_no_answer(endpoint, client, body, message):
    endpoint.answers = [endpoint.sends(body)]
    asking = client()
    with pytest.raises(LanguageModelError, match=message):
        asking(QUESTION)
    assert asking.usage["calls"] == 1


def test_a_refusal_is_an_answer(endpoint, client):
    endpoint.answers = [endpoint.says(None, refusal="I cannot do that.")]
    assert client()(QUESTION) == "I cannot do that."


class TestCache:
    def test_asks_once(self, endpoint, client, tmp_path):
        endpoint.answers = [endpoint.says("A gene.")]
        client(cache_dir=tmp_path)(QUESTION)
        again = client(cache_dir=tmp_path, api_key="another-key")
        assert again(QUESTION) == "A gene."
        assert (again.usage["calls"], again.usage["cached"]) == (0, 1)
        assert len(endpoint.requests) == 1

    @pytest.mark.parametrize("other", [{"max_tokens": 10}, {"options": {"seed": 2}}])
    def test_other_settings_are_another_question(self, endpoint, client, tmp_path, other):
        endpoint.answers = [endpoint.says("A gene.")]
        client(cache_dir=tmp_path)(QUESTION)
        client(cache_dir=tmp_path, **other)(QUESTION)
        assert len(endpoint.requests) == 2

    @pytest.mark.parametrize("damage", [b"", b"{", b"[]", b'{"answer": 1}', b"\xff"])
    def test_a_damaged_file_is_no_answer(self, endpoint, client, tmp_path, damage):
        endpoint.answers = [endpoint.says("A gene.")]
        client(cache_dir=tmp_path)(QUESTION)
        (file,) = tmp_path.iterdir()
        file.write_bytes(damage)
        assert client(cache_dir=tmp_path)(QUESTION) == "A gene."
        assert len(endpoint.requests) == 2
        assert client(cache_dir=tmp_path)(QUESTION) == "A gene."
        assert len(endpoint.requests) == 2

    def test_an_answer_cut_short_is_not_kept(self, endpoint, client, tmp_path):
        endpoint.answers = [endpoint.says("A ge", finish="length")]
        client(cache_dir=tmp_path)(QUESTION)
        assert list(tmp_path.iterdir()) == []

    def test_forgets(self, endpoint, client, tmp_path):
        endpoint.answers = [endpoint.says("A gene.")]
        asking = client(cache_dir=tmp_path)
        asking(QUESTION)
        asking.forget(QUESTION)
        asking.forget(QUESTION)
        assert list(tmp_path.iterdir()) == []


class TestLimits:
    def test_calls(self, endpoint, client):
        endpoint.answers = [endpoint.says("A gene.")]
        asking = client(max_calls=2)
        asking(QUESTION)
        asking(QUESTION)
        with pytest.raises(LanguageModelError, match="max_calls=2"):
            asking(QUESTION)
        assert len(endpoint.requests) == 2

    def test_attempts_count(self, endpoint, client):
        endpoint.answers = [endpoint.error(500)]
        with pytest.raises(LanguageModelError, match="max_calls=2"):
            client(max_calls=2)(QUESTION)
        assert len(endpoint.requests) == 2

    def test_cost_is_never_passed(self, endpoint, client):
        endpoint.answers = [endpoint.says("A gene.")]
        asking = client(max_cost=0.05, prices=(10.0, 20.0))  # an answer of 2000 tokens at most: 0.04
        with pytest.raises(LanguageModelError, match=r"could pass max_cost=0.05: 0\.0\d+ is spent"):
            [asking(QUESTION) for _ in range(100)]
        assert 0 < asking.usage["cost"] <= 0.05
        assert 3 < len(endpoint.requests) < 100

    def test_too_dear_from_the_start(self, endpoint, client):
        endpoint.answers = [endpoint.says("A gene.")]
        with pytest.raises(LanguageModelError, match="max_cost"):
            client(max_cost=0.0, prices=(0.0, 1.0))(QUESTION)
        assert endpoint.requests == []

    def test_the_longest_answer_may_have_another_name(self, endpoint, client):
        endpoint.answers = [endpoint.says("A gene.")]
        options = {"max_tokens": None, "max_completion_tokens": 50_000}
        with pytest.raises(LanguageModelError, match="max_cost"):
            client(max_cost=0.04, prices=(0.0, 1.0), options=options)(QUESTION)

    @pytest.mark.parametrize("what", ["unknown", "stalls"])
    def test_what_may_be_charged_counts_in_full(self, endpoint, client, what):
        endpoint.answers = [endpoint.says("A gene.", usage=False) if what == "unknown" else endpoint.stalls()]
        asking = client(prices=(0.0, 1e6), max_tokens=10, timeout=0.2, max_retries=0)
        try:
            asking(QUESTION)
        except LanguageModelError:
            assert what == "stalls"
        assert asking.usage["cost"] == 10


class TestSecrets:
    def test_key_is_nowhere(self, endpoint, client, key, tmp_path, caplog):
        caplog.set_level(logging.DEBUG)
        endpoint.answers = [
            endpoint.error(500, f"Incorrect key {key}"),
            endpoint.says(f"Your key is {key}."),
            endpoint.error(401, f"Incorrect key {key[:-2]}"),
            endpoint.error(400, f"Incorrect key {key}"),
            endpoint.stalls(),
        ]
        asking = client(cache_dir=tmp_path, timeout=0.2, max_retries=1)
        shown = [asking(QUESTION), repr(asking), str(vars(asking)), str(asking.usage)]
        for i in range(3):
            with pytest.raises(LanguageModelError) as caught:
                asking([{"role": "user", "content": f"Question {i}"}])
            # With the variables of every frame, as some tools print them, and without hidden causes.
            frames = traceback.TracebackException.from_exception(caught.value, capture_locals=True)
            shown += [
                str(frame.locals)
                for frame in frames.stack
                if "dnaclip" in frame.filename and "tests" not in frame.filename
            ]
            shown += ["".join(traceback.format_exception(caught.value)), repr(caught.value)]
            assert caught.value.__context__ is None
        shown += [record.getMessage() for record in caplog.records]
        shown += [file.name + file.read_text() for file in tmp_path.iterdir()]
        assert len(list(tmp_path.iterdir())) == 1
        assert "***" in shown[0]
        assert any("Secret('***')" in text for text in shown)
        assert [text for text in shown if key[:-2] in text] == []

    def test_copies_on_disk_are_refused(self, client):
        with pytest.raises(TypeError, match="cannot be pickled"):
            pickle.dumps(client())
        with pytest.raises(TypeError, match="cannot be pickled"):
            copy.deepcopy(client())

    def test_key_from_the_environment(self, endpoint, client, monkeypatch):
        monkeypatch.setenv("OPENAI_API_KEY", "from-outside")
        endpoint.answers = [endpoint.says("A gene.")]
        client(api_key=None)(QUESTION)
        assert endpoint.headers[0]["Authorization"] == "Bearer from-outside"

    def test_no_key_and_no_netrc(self, endpoint, client, monkeypatch, tmp_path):
        netrc = tmp_path / "netrc"
        netrc.write_text("machine 127.0.0.1 login me password planted\n")
        netrc.chmod(0o600)
        monkeypatch.setenv("NETRC", str(netrc))
        monkeypatch.delenv("OPENAI_API_KEY", raising=False)
        endpoint.answers = [endpoint.says("A gene.")]
        client(api_key=None)(QUESTION)
        assert "Authorization" not in endpoint.headers[0]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"model": ""}, "model must be"),
        ({"timeout": 0}, "timeout"),
        ({"timeout": float("nan")}, "timeout"),
        ({"max_retries": -1}, "max_retries"),
        ({"max_calls": 1.5}, "max_calls"),
        ({"max_tokens": 0}, "max_tokens"),
        ({"max_cost": 1.0}, "needs prices"),
        ({"max_cost": -1, "prices": (1, 1)}, "max_cost"),
        ({"prices": (-1, 1)}, "prices"),
        ({"base_url": "api.openai.com"}, "base_url"),
        ({"base_url": "file:///etc/passwd"}, "base_url"),
        ({"base_url": "https://me:planted@host/v1"}, "no user name"),
        ({"base_url": "https://host/v1?key=planted"}, "no user name"),
        ({"base_url": "http://example.org/v1"}, "in the open"),
        ({"api_key": "two\nlines"}, "white space"),
        ({"api_key": None}, "OPENAI_API_KEY"),
    ],
)
def test_bad_arguments(options, message, monkeypatch):
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    with pytest.raises(InputError, match=message) as caught:
        ChatClient(**{"model": "m", "api_key": "planted", **options})
    assert "planted" not in str(caught.value)


@pytest.mark.parametrize("url", ["http://localhost:11434/v1/", "http://[::1]:8000/v1", "http://127.0.0.1/v1"])
def test_this_machine_needs_no_key(url, monkeypatch):
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    assert ChatClient("m", base_url=url).base_url == url.rstrip("/")


def test_an_endpoint_without_keys_in_the_local_network():
    assert ChatClient("m", base_url="http://gpu-node:8000/v1", api_key="").base_url == "http://gpu-node:8000/v1"
