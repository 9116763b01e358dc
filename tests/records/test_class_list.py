import pytest

from records import class_list


def test_classes_survive_the_file_in_any_script(tmp_path):
    classes = ["aircraft carrier", "кот", "猫", "crème brûlée", " spaces "]
    path = str(tmp_path / "classes")
    class_list.write_classes(path, classes)
    assert class_list.read_classes(path) == classes
    (tmp_path / "classes").write_bytes("\ufeffcat\r\nкот\r\n".encode())
    assert class_list.read_classes(path) == ["cat", "кот"]


@pytest.mark.parametrize(
    "content, message",
    [
        (b"", "empty"),
        (b"\n\n", "empty"),
        (b"cat\n\ndog\n", "line 2: a blank line"),
        (b"cat\ndog\ncat\n", "line 3: class 'cat' stands on line 1 already"),
        (b"caf\xe9\n", "not a class list in UTF-8"),
    ],
)
def test_bad_class_list_is_refused(tmp_path, content, message):
    path = tmp_path / "classes"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=message) as refusal:
        class_list.read_classes(str(path))
    assert str(path) in str(refusal.value)


def test_missing_class_list_is_refused(tmp_path):
    with pytest.raises(ValueError, match="no such class list"):
        class_list.read_classes(str(tmp_path / "classes"))


@pytest.mark.parametrize(
    "now, message",
    [
        (["ant", "cat", "bee"], "the order differs"),
        (["ant", "bee", "cat", "dog"], "it also had 'dog'"),
        (["ant", "bee", "dog"], "it also had 'dog'; it did not have 'cat'"),
    ],
)
def test_a_list_that_is_not_the_one_beside_the_records_is_refused(tmp_path, now, message):
    class_list.write_classes(str(tmp_path / "eval.tfrecord.classes"), ["ant", "bee", "cat"])
    records = [str(tmp_path / f"eval.tfrecord-0000{i}-of-00002") for i in range(2)]
    with pytest.raises(ValueError, match=f"--classes_file=x is for another.*{message}, by .*eval"):
        class_list.check_beside_records(now, records, what="--classes_file=x is")
    class_list.check_beside_records(["ant", "bee", "cat"], records, what="x is")
    class_list.check_beside_records(now, [str(tmp_path / "copied-0")], what="x is")  # no list there


def test_a_folders_name_may_look_like_a_record_files(tmp_path):
    folder = tmp_path / "old.tfrecord-1"
    folder.mkdir()
    class_list.write_classes(str(folder / "eval.tfrecord.classes"), ["ant", "bee"])
    files = [str(folder / "eval.tfrecord-00000-of-00001")]
    class_list.check_beside_records(["ant", "bee"], files, what="x is")
    with pytest.raises(ValueError, match="it also had 'cat'"):
        class_list.check_beside_records(["ant", "cat"], files, what="x is")
