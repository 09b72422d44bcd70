"""How well it hears, from outside: judged on labelled texts, trained on them, tried in shadow, put in force.

The texts are made of a few words, so that a model can learn them from little; figures on real texts are in
docs/models.md.
"""

from __future__ import annotations

import csv
import io
import json
import random
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from enrich._hearing import corpus
from tests.pipeline.test_commands import Shell, line

KEYS = {"n", "macro_f1", "per_class", "auc", "ece", "ci95"}
ANGRY = ("broken again", "still waiting for a refund", "nobody answers the phone", "charged me twice", "lost my parcel")
FINE = ("opens at nine", "lovely staff", "a new shop in town", "the blue one looks nice", "thanks for the quick help")
THINGS = ("the oven", "my order", "the app", "your branch", "the ticket", "this router", "the delivery")
FLOOD = ("the zorble is purple", "my zorble went purple overnight", "purple zorble on arrival", "zorble all purple")
"""Words that no model knows, to be taught."""


ANY = {"stage": "", "model": ""}
NO_MODEL = "no model: the vocabularies alone"
BY_CUES: dict[str, Any] = {"brand": {}, "language": {}, "sentiment": {"model": "none"}, "intent": {"model": "none"}}
"""Stages without a model: so that no model which ships some day knows zorbles before they are taught."""


def texts(flood: int = 0) -> list[tuple[str, str]]:
    """Texts and whether they complain."""
    chance = random.Random(7)  # noqa: S311 - which words come together is no secret
    made = [(f"@acme {chance.choice(THINGS)}: {chance.choice(ANGRY)} {n}", "Complaint") for n in range(60)]
    made += [(f"@acme {chance.choice(THINGS)}: {chance.choice(FINE)} {n}", "none") for n in range(60)]
    made += [(f"@acme {FLOOD[n % len(FLOOD)]} {n}", "Complaint") for n in range(flood)]
    chance.shuffle(made)
    return made


def table(rows: Sequence[Sequence[str]], *columns: str) -> str:
    out = io.StringIO()
    csv.writer(out).writerows([columns, *rows])
    return out.getvalue()


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    return Shell(tmp_path, enrich=BY_CUES)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with a model that knows purple zorbles for complaints, to be copied."""
    made = Shell(tmp_path_factory.mktemp("trained"))
    made.write("labels.csv", table(texts(flood=40), "text", "label"))
    made.run(
        "train", "intent", "labels.csv", "--intent", "complaint", "--positive", "complaint", "--out", "model", "--only"
    )
    return made.directory / "model"


# ------------------------------------------------------------------------ eval


def test_an_intent_is_judged_on_the_rows_that_are_asked_for(shell: Shell) -> None:
    rows = [(text, label, "shop" if n % 2 else "shop-online") for n, (text, label) in enumerate(texts())]
    shell.write("rows.csv", table([*rows, ("", "none", "shop"), ("what?", "", "shop")], "text", "label", "where from"))
    asked = ("eval", "intent", "rows.csv", "--intent", "complaint", "--positive", "complaint")
    found = shell.json(*asked)
    assert found.keys() >= KEYS
    assert found["n"] == 120
    assert found["skipped"] == {"no text": 1, "no label": 1}
    assert set(found["per_class"]) == {"rest", "complaint"}
    assert found["per_class"]["complaint"]["n"] == 60
    assert found["ci95"][0] <= found["macro_f1"] <= found["ci95"][1]
    assert {name: one["n"] for name, one in found["by_label"].items()} == {"Complaint": 60, "none": 60}
    counts = {
        where: shell.json(*asked, "--where", where)["n"]
        for where in ("where from=shop", "where from!=shop", "where from^=shop", "where from!^=shop-", "label!=x")
    }
    assert list(counts.values()) == [60, 60, 120, 60, 120]
    both = ("--where", "where from=shop", "--where", f"text!={rows[1][0]}")
    assert shell.json(*asked, *both)["n"] == 59, "all conditions must hold"


def test_sentiment_is_judged_however_its_labels_are_spelled(shell: Shell) -> None:
    rows = [
        *[(f"I love the new app, great work {n}", label) for n, label in enumerate(("positive", "Pos", "POSITIVE"))],
        *[(f"worst service ever, terrible {n}", label) for n, label in enumerate(("negative", "neg", "NEG"))],
        *[(f"the shop opens at nine {n}", label) for n, label in enumerate(("neutral", "neu", "Neutral"))],
        ("who knows", "cant_tell"),
        ("1 or 0", "1"),
    ]
    shell.write("rows.csv", table(rows, "said", "mood"))
    found = shell.json("eval", "sentiment", "rows.csv", "--text", "said", "--label", "mood")
    assert found.keys() >= KEYS | {"confident"}
    assert found["n"] == 9
    assert found["skipped"] == {"label 'cant_tell'": 1, "label '1'": 1}
    assert {name: one["n"] for name, one in found["per_class"].items()} == {"negative": 3, "neutral": 3, "positive": 3}
    numbers = [(text, {"p": "1", "n": "-1"}.get(label[0].lower(), "0")) for text, label in rows[:6]]
    shell.write("numbers.csv", table(numbers, "text", "label"))
    assert shell.json("eval", "sentiment", "numbers.csv")["n"] == 6
    told = shell.run("eval", "sentiment", "rows.csv", "--text", "said", "--label", "mood")
    for part in ("9 rows", "1 with label 'cant_tell'", "macro-F1", "precision", "praise taken for complaint"):
        assert part in told


WRONG: dict[str, tuple[Sequence[str], Sequence[str]]] = {
    "no file": (("none.csv",), ("none.csv", "No such file")),
    "no column": (("rows.csv", "--text", "txet"), ("--text", "no column 'txet'", "did you mean text?")),
    "no condition": (("rows.csv", "--where", "label"), ("--where label", "!^=")),
    "no column of a condition": (("rows.csv", "--where", "brand=x"), ("--where brand=x", "no column 'brand'")),
    "no row": (("rows.csv", "--where", "label=x"), ("no row to look at", "check --where")),
    "one label": (("rows.csv", "--where", "label!=none"), ("every row that is left is complaint",)),
    "no such label": (("rows.csv", "--positive", "x"), ("--positive x", "there are 'none', 'Complaint'")),
    "no model": (("rows.csv", "--model", "nowhere"), ("nowhere",)),
    "not UTF-8": (("latin.csv",), ("latin.csv, line 2", "not UTF-8")),
    "empty": (("empty.csv",), ("empty.csv", "is empty")),
    "no language": (("rows.csv", "--lang", "text"), ("rows.csv, line 2", "is no language")),
}


@pytest.mark.parametrize(("options", "said"), WRONG.values(), ids=WRONG.keys())
def test_what_cannot_be_judged_is_refused_with_the_place_and_the_remedy(
    shell: Shell, options: Sequence[str], said: Sequence[str]
) -> None:
    shell.write("rows.csv", table([("to be short, it broke", "none"), ("@acme thanks", "Complaint")], "text", "label"))
    shell.write("latin.csv", "text,label\nschön,none\n".encode("latin-1"))
    shell.write("empty.csv", "")
    told = " ".join(shell.run("eval", "intent", "--intent", "complaint", *options, status=2).split())
    for part in said:
        assert part in told


# ----------------------------------------------------------------------- train


def test_the_same_labels_make_the_same_bytes_and_a_card_that_says_what_they_were(shell: Shell, trained: Path) -> None:
    shell.write("labels.csv", table(texts(flood=40), "text", "label"))
    made = shell.json(
        "train",
        "intent",
        "labels.csv",
        "--intent",
        "complaint",
        "--positive",
        "complaint",
        "--out",
        "new/model",
        "--only",
    )
    files = {path.name: path.read_bytes() for path in (shell.directory / "new/model").iterdir()}
    assert files == {path.name: path.read_bytes() for path in trained.iterdir()}
    assert {it.name for it in (shell.directory / "new").iterdir()} == {"model"}, "nothing is left beside it"
    assert (made["kind"], made["labels"], made["examples"]) == ("intent", ["complaint"], {"labels.csv": 160})
    card = files["CARD.md"].decode()
    for part in (
        made["version"],
        "harken train intent labels.csv --intent complaint --positive complaint --only --out DIR",
        "| labels.csv: labels of complaint (complaint) | 160 |",
        "| complaint | 100 | 60 |",
        "docs/intents.md",
        "## Limits",
    ):
        assert part in card
    assert str(shell.directory) not in card


def test_a_trained_model_is_judged_by_its_directory_and_compared_on_the_same_rows(shell: Shell, trained: Path) -> None:
    shell.write("rows.csv", table(texts(flood=60)[::-1], "text", "label"))
    asked = ("eval", "intent", "rows.csv", "--intent", "complaint", "--positive", "complaint")
    assert shell.json(*asked, "--model", str(trained))["macro_f1"] > 0.9
    found = shell.json(*asked, "--compare", str(trained))
    change = found["difference"]
    assert change["macro_f1"] == pytest.approx(found["compare"]["macro_f1"] - found["macro_f1"])
    assert change["ci95"][0] > 0
    assert change["better"] > 30 > change["worse"]
    assert set(change["per_class"]) == {"rest", "complaint"}
    told = " ".join(shell.run(*asked, "--compare", str(trained)).split())
    assert f"right only then: {change['better']}" in told
    assert "better" in told
    unknown = shell.run("eval", "intent", "rows.csv", "--intent", "chrun", "--positive", "complaint", status=2)
    assert "--intent chrun" in unknown


def test_what_your_labels_do_not_say_is_left_to_the_model_they_build_on(shell: Shell, trained: Path) -> None:
    leaving = [(f"{word} {thing}", "yes") for thing in THINGS for word in ("cancelling", "closing my account for")]
    staying = [(f"{word} {thing}", "no") for thing in THINGS for word in ("keeping", "opening an account for")]
    rows = [(*row, "en") for row in leaving + staying] + [("peruutan tilauksen", "yes", "Finnish")]
    shell.write("leaving.csv", table(rows, "text", "label", "spoken"))
    asked = ("train", "intent", "leaving.csv", "--intent", "churn", "--positive", "yes", "--lang", "spoken")
    made = shell.json(*asked, "--base", str(trained), "--out", "churn")
    assert made["labels"] == ["churn", "complaint"]
    assert made["base"]
    assert made["skipped"] == {"leaving.csv": {"a text in another language than English, too few to learn from": 1}}
    shell.write("rows.csv", table(texts(flood=40), "text", "label"))
    complaint = ("eval", "intent", "rows.csv", "--intent", "complaint")
    assert shell.json(*complaint, "--model", "churn") | ANY == shell.json(*complaint, "--model", str(trained)) | ANY
    assert (
        shell.json("eval", "intent", "leaving.csv", "--intent", "churn", "--positive", "yes", "--model", "churn")[
            "macro_f1"
        ]
        > 0.8
    )
    told = shell.run(*asked, "--base", "churn", "--out", "more", status=2)
    assert "builds on another itself" in told


def test_without_a_file_what_ships_is_made_anew_with_the_corrections(
    shell: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = {
        "complaint": [text for text, label in texts() if label == "Complaint"][:15],
        "praise": [f"great work by {thing} number {n}" for n, thing in enumerate(THINGS * 2)],
        "lead": [f"thinking of buying {thing} number {n}" for n, thing in enumerate(THINGS * 2)],
        "question": [f"where is {thing} number {n}?" for n, thing in enumerate(THINGS * 2)],
    }
    columns = ("text", "lang", "industry", "register", "brand", "sentiment", "intents", "target", "flags", "made")
    rows = [(text, "en", "x", "tweet", "", "neutral", name, "", "", "written") for name in said for text in said[name]]
    own = Path(shell.write("posts.csv", table(rows, *columns)))
    monkeypatch.setattr(corpus, "files", lambda *_: [own])
    corrected = [(text, "en", "acme", "complaint", "no", "yes") for text in FLOOD]
    shell.write("corrections.csv", table(corrected, "text", "language", "brand", "label", "found", "right"))
    made = shell.json("train", "intent", "--with", "corrections.csv", "--out", "anew")
    assert made["labels"] == ["complaint", "praise", "lead", "question"]
    assert made["examples"] == {"corrections.csv": 4, "harken": len(rows)}
    assert made["base"] == ""
    card = (shell.directory / "anew/CARD.md").read_text(encoding="utf-8")
    assert "harken train intent --with corrections.csv --out DIR" in card
    assert f"| {corpus.LICENCE} |" in card
    assert "each counting as 5 |" in card


def test_a_directory_that_holds_something_is_never_written_to(shell: Shell) -> None:
    shell.write("labels.csv", table(texts(), "text", "label"))
    (shell.directory / "full").mkdir()
    shell.write("full/mine.txt", "mine")
    told = shell.run("train", "intent", "labels.csv", "--intent", "complaint", "--out", "full", "--only", status=2)
    assert "not empty" in told
    assert [path.name for path in (shell.directory / "full").iterdir()] == ["mine.txt"]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("intent", "labels.csv"), "--intent"),
        (("intent", "labels.csv", "--intent", "Not A Name"), "small letters"),
        (("intent", "--intent", "complaint"), "a FILE with labels of it"),
        (("sentiment", "labels.csv"), "no label that is a sentiment"),
        (("sentiment", "--source", "nowhere=labels.csv"), "one of xlmt, vader_tweets, purchase_iphonex"),
        (("sentiment", "--source", "xlmt"), "NAME=PATH"),
        (("sentiment", "--source", "xlmt=labels.csv"), "no column 'lang'"),
        (("sentiment", "--source", "vader_tweets=labels.csv"), "labels.csv, line 2: has no rating"),
        (("intent", "--only", "--with", "labels.csv"), "harken corrections export"),
        (("intent", "--only"), "there is nothing to learn from"),
        (("intent", "few.csv", "--intent", "complaint", "--only"), "complaint, en: only 3 of 6"),
        (("intent", "--base", "nowhere"), "nowhere"),
        (("intent", "labels.csv", "--intent", "complaint", "--figures", "labels.csv"), "holds no figures"),
    ],
)
def test_what_cannot_be_learned_from_is_refused(shell: Shell, options: Sequence[str], said: str) -> None:
    shell.write("labels.csv", table(texts(), "text", "label"))
    shell.write("few.csv", table([(f"it broke {n}", ("complaint", "none")[n % 2]) for n in range(6)], "text", "label"))
    assert said in " ".join(shell.run("train", *options, "--out", "model", status=2).split())
    assert not (shell.directory / "model").exists()


def test_without_scikit_learn_it_says_what_to_install(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sklearn", None)
    shell.write("labels.csv", table(texts(), "text", "label"))
    told = shell.run("train", "intent", "labels.csv", "--intent", "complaint", "--out", "model", status=2)
    assert "pip install 'harken[train]'" in " ".join(told.split())


# -------------------------------------------------------------------- the loop


def test_corrections_are_learned_from_beside_a_file_of_labels(shell: Shell, trained: Path) -> None:
    plain = texts()
    shell.write("labels.csv", table(plain, "text", "label"))
    corrected = [(f"'@acme {text}", "en", "acme", "complaint", "no", "yes") for text in FLOOD * 3]
    others = [("x", "en", "acme", "queue", "service", "press"), ("y", "en", "acme", "sentiment", "neutral", "negative")]
    columns = ("text", "language", "brand", "label", "found", "right")
    shell.write("corrections.csv", table([*corrected, *others], *columns))
    base = ("train", "intent", "labels.csv", "--intent", "complaint", "--positive", "complaint", "--only")
    shell.run(*base, "--out", "before")
    made = shell.json(*base, "--with", "corrections.csv", "--out", "after")
    assert made["examples"] == {"labels.csv": 120, "corrections.csv": 12}
    assert made["skipped"] == {"corrections.csv": {"label 'queue'": 1, "label 'sentiment'": 1}}
    assert "each counting as 1 |" in (shell.directory / "after/CARD.md").read_text(encoding="utf-8")
    shell.write("rows.csv", table(texts(flood=40), "text", "label"))
    asked = ("eval", "intent", "rows.csv", "--intent", "complaint", "--positive", "complaint")
    change = shell.json(*asked, "--model", "before", "--compare", "after")["difference"]
    assert change["better"] >= 10 > change["worse"]


def test_figures_of_an_evaluation_stand_in_the_card(shell: Shell, trained: Path) -> None:
    shell.write("labels.csv", table(texts(), "text", "label"))
    asked = ("eval", "intent", "labels.csv", "--intent", "complaint", "--positive", "complaint")
    shell.write("unseen.json", json.dumps(shell.json(*asked, "--model", str(trained))))
    base = ("train", "intent", "labels.csv", "--intent", "complaint", "--positive", "complaint", "--only")
    shell.run(*base, "--figures", "unseen.json", "--out", "model")
    assert "| unseen | 120 | " in (shell.directory / "model/CARD.md").read_text(encoding="utf-8")


def test_a_model_runs_in_shadow_is_promoted_and_taken_back(shell: Shell, trained: Path) -> None:
    shutil.copytree(trained, shell.directory / "candidate")

    def ingest(name: str) -> None:
        said = shell.write(f"{name}.jsonl", line(name, "@acme my zorble went purple overnight"))
        shell.run("ingest", said, "--source", "t")

    before = shell.json("models", "list")
    assert [it["version"] for it in before["models"]] == [NO_MODEL] * 2
    assert "none runs in shadow" in " ".join(shell.run("models", "promote", status=2).split())
    assert "in shadow" in " ".join(shell.run("models", "shadow", "candidate").split())
    ingest("one")
    found = shell.json("models", "differences", "--since", "4w")
    assert found["mentions"] == 0, "the mention is from January"
    found = shell.json("models", "differences", "--since", "9999d")
    assert found["mentions"] == 1
    assert {"label": "complaint", "now": "no", "then": "yes", "mentions": 1} in found["counts"]
    assert found["examples"][0]["mention"] == "t:one"
    told = shell.run("models", "differences", "--since", "9999d", "--label", "complaint")
    assert "complaint: no" in told
    assert "in shadow" in shell.run("explain", "t:one")
    assert "complaint" not in intents(shell, "t:one"), "what runs in shadow decides nothing"

    assert "is in force" in " ".join(shell.run("models", "promote", "--why", "hears zorbles").split())
    (_, inforce), *_ = [(it["stage"], it) for it in shell.json("models", "list")["models"] if it["stage"] == "intent"]
    assert inforce["directory"] == str(shell.directory / "candidate")
    assert inforce["labels"] == "complaint"
    ingest("two")
    assert "complaint" in intents(shell, "t:two")
    assert "zorble" in shell.run("explain", "t:two").split("stages")[0]

    assert "in force again" in " ".join(shell.run("models", "rollback").split())
    listed = shell.json("models", "list")
    assert [it["version"] for it in listed["models"] if it["runs"] == "in force"] == [NO_MODEL] * 2
    assert [it["why"] for it in listed["versions"]] == ["taken back", "hears zorbles", "candidate in shadow"]
    assert "no longer in shadow" in " ".join(shell.run("models", "off", "intent").split())
    ingest("three")
    assert "complaint" not in intents(shell, "t:three")
    assert "document.saved" in [it["action"] for it in shell.json("audit", "list")]


def test_a_model_that_is_gone_or_another_than_was_put_in_force_stops_the_start(shell: Shell, trained: Path) -> None:
    candidate = shell.directory / "candidate"
    shutil.copytree(trained, candidate)
    assert "nowhere" in shell.run("models", "promote", "nowhere", status=2)
    shell.run("models", "promote", "candidate")
    shell.write("wrong.yaml", "intent:\n  model: nowhere\n")
    refused = shell.run("documents", "save", "models", "wrong.yaml", "--why", "x", "--expected", "1", status=2)
    assert "models, line 2" in refused
    file = shell.write("said.jsonl", line("1", "acme"))
    other = ("train", "intent", "labels.csv", "--intent", "complaint", "--out", "other", "--only")
    shell.write("labels.csv", table(texts(), "text", "label"))
    shell.run(*other)
    shutil.rmtree(candidate)
    shell.directory.joinpath("other").rename(candidate)
    told = " ".join(shell.run("ingest", file, "--source", "t", status=2).split())
    assert "models.intent.model" in told
    assert "as it was put in force" in told
    shutil.rmtree(candidate)
    assert "candidate" in shell.run("ingest", file, "--source", "t", status=2)
    assert "candidate" in shell.run("models", "list"), "and it can be put right from here"
    shell.run("models", "rollback")
    shell.run("ingest", file, "--source", "t")


def test_the_configuration_names_the_models_while_no_document_does(shell: Shell, trained: Path) -> None:
    shutil.copytree(trained, shell.directory / "mine")
    shell.configure(enrich={**BY_CUES, "intent": {"model": "mine"}})
    found = [it for it in shell.json("models", "list")["models"] if it["stage"] == "intent"]
    assert [it["directory"] for it in found] == ["mine"]
    shell.configure(enrich={**BY_CUES, "intent": {"model": "gone"}})
    assert "gone" in shell.run("check", status=2)


def test_without_a_word_on_models_what_ships_is_in_force(shell: Shell) -> None:
    shell.configure()
    found = shell.json("models", "list")
    assert [(it["stage"], it["version"]) for it in found["models"]] == [
        ("sentiment", "as it ships"),
        ("intent", "as it ships"),
    ]
    assert "none runs in shadow" in shell.run("models", "off", status=2)
    assert "no others were in force" in shell.run("models", "rollback", status=2)


def intents(shell: Shell, id: str) -> list[str]:
    told = shell.json("explain", id)
    return [it["name"] for it in told["routed"]["tags"].get("intents", [])]
