"""A path is a name: whatever its words say, they are no words of the sentence."""

from __future__ import annotations

from itertools import product

import pytest

from graphs.understanding import Understanding
from graphs.understanding.parse_lines import FileNames

FOLDERS = [
    "/tmp/pytest-of-root/pytest-157/popen-gw1/test_files_that_are_no_dataset0",
    "/srv/delete-all/roll_back",
    "/mnt/do-not-deploy/never",
    "~/every-night-at-2/tomorrow",
    "../what-if/cancel-job-7",
    "./champion/v3/kiosks",
    "/data/error:re:log:/says:",
    "/data/a->b/x=>y",
    "/home/if_it_beats_the_champion/otherwise",
    "https://files.example.org/undo/it",
    "C:\\Users\\me\\archive",
]
SPACED = [
    "/tmp/delete all/don't deploy",
    "/mnt/roll back the kiosks, then retire hh-33",
    "C:\\My Files\\every night at 2\\stop",
    "~/if it beats the champion, promote it",
    "/srv/ticket says: purge it/what would happen",
]
FILES = ["empty.jsonl", "not-yet.parquet", "job-17.csv"]
BARE = [
    "add the dataset {} and call it odd-one",
    "load {} as a dataset called odd-one",
    "please import {} as dataset odd-one",
]
QUOTED = [sentence.format(mark) for sentence in BARE for mark in ('"{}"', "`{}`", "“{}”")]


@pytest.mark.parametrize("sentence", [*BARE, *QUOTED])
def test_the_words_of_a_path_do_not_say_what_is_to_be_done(
    understanding: Understanding, names: FileNames, sentence: str
) -> None:
    folders = FOLDERS if sentence in BARE else [*FOLDERS, *SPACED]
    for folder, file in product(folders, FILES):
        path = f"{folder}\\{file}" if "\\" in folder else f"{folder}/{file}"
        said = sentence.format(path)
        plan = understanding.parse(said, names)
        assert [s.operation for s in plan.steps] == ["datasets.add"], said
        assert plan.steps[0].arguments == {"path": path, "name": "odd-one"}, said
        assert plan.steps[0].schedule is None, said
        assert not plan.dry_run, said


def test_a_quoted_file_name_alone_is_a_path(understanding: Understanding, names: FileNames) -> None:
    for file in ("delete everything.csv", "don't train.jsonl", "my file.csv", "roll back.tsv"):
        plan = understanding.parse(f'add "{file}" as odd-one', names)
        assert [s.operation for s in plan.steps] == ["datasets.add"], file
        assert plan.steps[0].arguments["path"] == file


def test_a_quoted_order_is_still_no_order(understanding: Understanding, names: FileNames) -> None:
    plan = understanding.parse('the note on the desk read "delete /data/all.csv now"', names)
    assert not plan.steps


@pytest.mark.parametrize("file", ["chats.json", "mails.jsonl", "q3.tsv"])
def test_a_file_of_rows_is_added_as_data_without_the_word(
    understanding: Understanding, names: FileNames, file: str
) -> None:
    (step,) = understanding.parse(f"add /data/{file}", names).steps
    assert (step.operation, step.arguments["path"]) == ("datasets.add", f"/data/{file}")
