"""The wire form for others: JSON Schema of the shapes and an AsyncAPI 3.0 document of the topics, both made from the
code, so that they cannot disagree with it.
"""

from __future__ import annotations

from importlib.metadata import version
from typing import Any

import msgspec

from pipeline.config import TopicSettings
from pipeline.mention import Enriched, Mention, Removal, Routed

SHAPES = (Mention, Removal, Enriched, Routed)


def json_schema() -> dict[str, Any]:
    """JSON Schema 2020-12 of every shape that stands on a topic, under `$defs`; the root accepts any of them."""
    _, components = msgspec.json.schema_components(SHAPES, ref_template="#/$defs/{name}")
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": "https://harken.example/schema/records.json",
        "title": "What stands on harken's topics",
        "oneOf": [{"$ref": f"#/$defs/{shape.__name__}"} for shape in SHAPES],
        "$defs": components,
    }


def asyncapi(topics: TopicSettings) -> dict[str, Any]:
    """The topics as an AsyncAPI 3.0 document: address, key, messages, retention."""
    _, schemas = msgspec.json.schema_components(SHAPES, ref_template="#/components/schemas/{name}")
    carried = {
        "raw": (topics.raw, "What connectors took in", (Mention, Removal)),
        "enriched": (topics.enriched, "Mentions with their tags", (Enriched, Removal)),
        "routed": (topics.routed, "Mentions with their tags and decision", (Routed, Removal)),
    }
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "harken",
            "version": version("harken"),
            "description": "Every record is JSON; its field `schema` holds the shape's name and version. The key is "
            "the conversation, so that a thread stays in order. Delivery is at least once: deduplicate by the "
            "mention's id and revision. A removal asks every consumer to forget what it names.",
        },
        "defaultContentType": "application/json",
        "channels": {
            name: {
                "address": address,
                "description": description,
                "messages": {shape.__name__: {"$ref": f"#/components/messages/{shape.__name__}"} for shape in shapes},
                "bindings": {
                    "kafka": {
                        "topic": address,
                        "partitions": topics.partitions,
                        "topicConfiguration": {"retention.ms": int(topics.retention_hours * 3_600_000)},
                    }
                },
            }
            for name, (address, description, shapes) in carried.items()
        },
        "operations": {
            f"receive{name.capitalize()}": {"action": "receive", "channel": {"$ref": f"#/channels/{name}"}}
            for name in carried
        },
        "components": {
            "messages": {
                shape.__name__: {
                    "name": shape.__name__,
                    "payload": {"$ref": f"#/components/schemas/{shape.__name__}"},
                    "bindings": {"kafka": {"key": {"type": "string", "description": "the conversation's id"}}},
                }
                for shape in SHAPES
            },
            "schemas": schemas,
        },
    }
