from typing import Any

from enrich import cluster
from pipeline.ports import Draft, StageContext
from tests.enrich.helpers import NLP, drafts, stage

LETTER = "Acme pays its drivers less than the law demands, share this with everyone you know"


def annotated(texts: list[str], **settings: Any) -> list[Draft]:
    batch = drafts(texts)
    stage("cluster", **settings).annotate(batch)
    return batch


def ids(texts: list[str], **settings: Any) -> list[str | None]:
    return [draft.cluster.id if draft.cluster else None for draft in annotated(texts, **settings)]


def test_copies_share_a_cluster_and_only_the_first_is_first() -> None:
    batch = annotated([LETTER, LETTER.upper(), f"RT @ana: {LETTER} https://t.co/1", f"{LETTER}!!! 🔥 123"])
    clusters = [draft.cluster for draft in batch]
    assert len({found.id for found in clusters if found}) == 1
    assert [found.first for found in clusters if found] == [True, False, False, False]


def test_a_small_change_stays_in_the_cluster() -> None:
    first, second = ids([LETTER, LETTER.replace("everyone", "anyone")])
    assert first == second


def test_other_words_are_another_cluster() -> None:
    assert (
        len(
            set(
                ids(
                    [
                        LETTER,
                        "The queue at the airport was two hours long this morning",
                        "My acme phone fell apart today",
                    ]
                )
            )
        )
        == 3
    )


def test_the_same_words_in_another_order_are_alike_but_other_words_between_them_are_not() -> None:
    text = "one red fox jumps over lazy dogs"
    assert len(set(ids([text, "lazy dogs jumps over one red fox"]))) == 1
    assert len(set(ids([text, "one red fox jumps because seven other people shouted"]))) == 2


def test_a_short_text_has_no_cluster() -> None:
    assert ids(["thank you acme", "", "👍", "one two three four"])[:3] == [None, None, None]


def test_two_workers_give_exact_copies_the_same_id() -> None:
    filler = [f"something else entirely number {word} here" for word in ("alpha", "beta", "gamma")]
    assert ids([LETTER])[0] == ids([*filler, LETTER])[-1]


def test_a_batch_annotated_again_gets_the_same_answers() -> None:
    again = stage("cluster")
    batch = drafts([LETTER, LETTER, "another long enough text stands here"])
    again.annotate(batch)
    before = [draft.cluster for draft in batch]
    again.annotate(batch)
    assert [draft.cluster for draft in batch] == before


def test_memory_is_bounded_and_the_longest_unseen_is_forgotten() -> None:
    small = cluster.Stage(cluster.Config(window=10), StageContext(brands=(), nlp=NLP))
    texts = [
        f"{LETTER} {chr(97 + n % 26)}{chr(97 + n // 26)} " + " ".join(f"w{chr(97 + n % 26)}{k}x{n}" for k in range(20))
        for n in range(60)
    ]
    small.annotate(drafts([LETTER]))
    for text in texts:
        small.annotate(drafts([text]))
    assert len(small._known) == 10
    assert len(small._buckets) <= 10 * 8
    batch = drafts([LETTER])
    batch[0].mention = drafts(["", LETTER])[1].mention
    small.annotate(batch)
    assert batch[0].cluster is not None
    assert batch[0].cluster.first


def test_hindi_words_with_vowel_signs_count_as_words() -> None:
    assert ids(["यह सेवा बहुत ही खराब है दोस्तों"]) != [None]
