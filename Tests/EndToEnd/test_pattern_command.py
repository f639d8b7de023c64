# SPDX-License-Identifier: Apache-2.0
"""`sallyport pattern`: arguments, a file or standard input; one JSON line each; OASIS's validator as the judge."""
from __future__ import annotations

from pathlib import Path

import pytest
from stix2patterns.validator import run_validator

from support.program import Sallyport

VALID = {
    "[ipv4-addr:value = '203.0.113.7']": [("ipv4-addr", "203.0.113.7")],
    "[ipv4-addr:value='203.0.113.7/32']": [("ipv4-addr", "203.0.113.7")],
    "[domain-name:value = 'EXAMPLE[.]org.']": [("domain-name", "example.org")],
    "[domain-name:value IN ('a.example', 'b.example')] FOLLOWEDBY [file:hashes.MD5 = 'D41D8CD98F00B204E9800998ECF8427A']": [
        ("domain-name", "a.example"), ("domain-name", "b.example"), ("MD5", "d41d8cd98f00b204e9800998ecf8427a")],
    "[domain-name:value != 'good.example'] /* a comment */": [],
    "[ipv4-addr:value = '198.51.100.1' OR ipv4-addr:value = '198.51.100.2'] REPEATS 5 TIMES WITHIN 30 SECONDS": [
        ("ipv4-addr", "198.51.100.1"), ("ipv4-addr", "198.51.100.2")],
}
INVALID = ["", "[", "[domain-name:value]", "[domain-name:value = ]", "domain-name:value = 'x'", "[a:b = 'x'] WITHIN", "[x = 'y']"]


# covers: cli:pattern, cli:json, pattern:grammar, pattern:oasis
@pytest.mark.parametrize("pattern", [*VALID, *[one for one in INVALID if one]])
def test_agrees_with_the_oasis_validator(pattern: str, sallyport: Sallyport) -> None:
    done = sallyport.run("pattern", "--json", pattern)
    [line] = done.json_lines
    complaints = run_validator(pattern, stix_version="2.1")
    assert line["pattern"] == pattern
    assert line["valid"] == (not complaints), complaints
    assert done.status == (0 if line["valid"] else 1)
    if line["valid"]:
        assert [(one["type"], one["value"]) for one in line["observables"]] == VALID[pattern]
    else:
        assert line["error"]["message"] and 0 <= line["error"]["offset"] <= len(pattern.encode())


def test_reads_a_file_and_standard_input(sallyport: Sallyport, tmp_path: Path) -> None:
    text = "\n".join([*VALID, *[one for one in INVALID if one]])
    file = tmp_path / "patterns"
    file.write_text(text)
    from_file = sallyport.run("pattern", "--json", "--file", str(file))
    from_input = sallyport.run("pattern", "--json", stdin=text)
    assert from_file.json_lines == from_input.json_lines
    assert [line["valid"] for line in from_file.json_lines] == [True] * len(VALID) + [False] * (len(INVALID) - 1)
    assert from_file.status == from_input.status == 1
