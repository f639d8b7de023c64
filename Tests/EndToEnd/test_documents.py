# SPDX-License-Identifier: Apache-2.0
"""Every GraphQL document that the program can send is one that the platform's schema knows."""
from __future__ import annotations

from pathlib import Path
from typing import Any

import graphql
import pytest

from support.contract import CASES
from support.program import Sallyport


@pytest.fixture(scope="module")
def schema() -> graphql.GraphQLSchema:
    return graphql.build_schema((CASES / "opencti-schema.graphql").read_text(encoding="utf-8"))


# covers: octi:documents, octi:versions
def test_every_document_validates(sallyport: Sallyport, schema: graphql.GraphQLSchema) -> None:
    documents: list[dict[str, Any]] = sallyport.run("documents").json
    assert len({document["name"] for document in documents}) == len(documents) > 3
    problems = {
        document["name"]: [error.message for error in graphql.validate(schema, graphql.parse(document["text"]))]
        for document in documents
    }
    assert {name: errors for name, errors in problems.items() if errors} == {}


def test_the_judge_can_say_no(schema: graphql.GraphQLSchema) -> None:
    assert graphql.validate(schema, graphql.parse("query Wrong { about { colour } }"))
