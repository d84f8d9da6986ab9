"""Answers that have the shape asked for are read, all others refused with a reason."""

from __future__ import annotations

import json

import pytest

from dnaclip.llm._answers import AnswerError, plain, read_draft, read_summary, read_verdicts

DRAFT = {"name": "DNA repair", "summary": "They repair DNA.", "claims": [{"claim": "They repair.", "genes": ["BRCA1"]}]}


@pytest.mark.parametrize("wrap", ["{}", "```json\n{}\n```", "Here it is:\n{} I hope it helps {{!}}", "  {}\n\n"])
def test_reads_json_wherever_it_stands(wrap):
    assert read_draft(wrap.format(json.dumps(DRAFT))) == DRAFT


def test_text_becomes_one_plain_line():
    answer = {**DRAFT, "name": "DNA\u202e\x1b[31m re\npair\u200b ", "claims": []}
    assert read_draft(json.dumps(answer))["name"] == "DNA [31m re pair"
    assert plain("a\ud800b") == "a b"


def test_genes_may_be_left_out():
    assert read_draft(json.dumps({**DRAFT, "claims": [{"claim": "They repair."}]}))["claims"][0]["genes"] == []


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        ("", "no JSON object in the answer; perhaps a refusal"),
        ("I'm sorry, I cannot help with that.", "perhaps a refusal"),
        ('{"name": "DNA rep', "broken JSON"),
        ("{" * 3000, "broken JSON"),
        (json.dumps(DRAFT) + " " * 20_000, "an answer of 20,"),
        (json.dumps({**DRAFT, "name": 1}), "'name' is not a text"),
        (json.dumps({**DRAFT, "name": " \u200b"}), "'name' is not a text"),
        (json.dumps({**DRAFT, "name": "x" * 101}), "'name' has more than 100"),
        (json.dumps({**DRAFT, "summary": "x" * 1501}), "'summary' has more than 1500"),
        (json.dumps({**DRAFT, "claims": "none"}), "'claims' is not a list"),
        (json.dumps({**DRAFT, "claims": ["repair"]}), "'claims' is not a list"),
        (json.dumps({**DRAFT, "claims": [{"claim": "a"}] * 9}), "'claims' is not a list of at most 8"),
        (json.dumps({**DRAFT, "claims": [{"claim": "a", "genes": "BRCA1"}]}), "'genes' is not a list"),
        (json.dumps({**DRAFT, "claims": [{"claim": "a", "genes": [1]}]}), "'genes' is not a list"),
    ],
)
def test_refuses_drafts(answer, message):
    with pytest.raises(AnswerError, match=message):
        read_draft(answer)


def test_verdicts_come_in_the_order_of_the_claims():
    verdicts = [{"number": 2, "verdict": "refuted", "evidence": ["S1"]}, {"number": 1, "verdict": "partly"}]
    read = read_verdicts(json.dumps({"verdicts": verdicts}), 2)
    assert read == [{"verdict": "partly", "evidence": []}, {"verdict": "refuted", "evidence": ["S1"]}]


@pytest.mark.parametrize(
    ("verdicts", "message"),
    [
        ([], "1 of 1 claims have no verdict"),
        ([{"number": 2, "verdict": "partly"}], "number 2 is not"),
        ([{"number": True, "verdict": "partly"}], "number True is not"),
        ([{"number": 1, "verdict": "partly"}] * 2, "comes twice"),
        ([{"number": 1, "verdict": "true"}], "verdict 'true' is not one of"),
        ([{"number": 1, "verdict": ["partly"]}], "is not one of"),
        ([{"number": 1, "verdict": "partly", "evidence": "S1"}], "'evidence' is not a list"),
    ],
)
def test_refuses_verdicts(verdicts, message):
    with pytest.raises(AnswerError, match=message):
        read_verdicts(json.dumps({"verdicts": verdicts}), 1)


def test_reads_a_summary():
    assert read_summary('{"summary": "They repair DNA.", "name": 5}') == "They repair DNA."
