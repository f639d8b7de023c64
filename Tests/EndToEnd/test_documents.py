# SPDX-License-Identifier: Apache-2.0
"""Every GraphQL document that the program can send is one that the platform's schema knows."""
from __future__ import annotations

import graphql
import pytest

from support.contract import CASES
from support.program import Sallyport


@pytest.fixture(scope="module")
def schema() -> graphql.GraphQLSchema:
    return graphql.build_schema((CASES / "opencti-schema.graphql").read_text(encoding="utf-8"))


# covers: octi:documents, octi:versions
def test_every_document_validates(sallyport: Sallyport, schema: graphql.GraphQLSchema) -> None:
    documents: list[dict[str, str]] = sallyport.run("documents").json
    texts = [document["text"] for document in documents]
    # One name may stand for several texts: one a platform version.
    assert len(set(texts)) == len(texts) > 3
    problems = {
        text: errors for text in texts
        if (errors := [error.message for error in graphql.validate(schema, graphql.parse(text))])
    }
    assert problems == {}


def test_the_judge_can_say_no(schema: graphql.GraphQLSchema) -> None:
    assert graphql.validate(schema, graphql.parse("query Wrong { about { colour } }"))
