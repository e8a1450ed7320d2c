"""Archives from strangers: what is hostile is refused, and nothing is written outside."""

import io
import os
import tarfile
import zipfile

import pytest

from minikeras.utils.file_utils import extract_archive


def tar(path, *members):
    """Writes a tar; a member is (name, content) or a TarInfo."""
    with tarfile.open(path, "w:gz") as archive:
        for member in members:
            if isinstance(member, tarfile.TarInfo):
                archive.addfile(member)
            else:
                info = tarfile.TarInfo(member[0])
                info.size = len(member[1])
                archive.addfile(info, io.BytesIO(member[1]))
    return path


def zipped(path, *members):
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members:
            archive.writestr(name, content)
    return path


def link(name, target, kind=tarfile.SYMTYPE):
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, target
    return info


def everything_below(folder):
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


@pytest.mark.parametrize("make", [tar, zipped])
@pytest.mark.parametrize("archive_format", ["auto", ["tar", "zip"]])
def test_plain_archives_are_extracted(tmp_path, make, archive_format):
    archive = make(tmp_path / "archive", ("a.txt", b"a"), ("deep/er/b.txt", b"b"))
    assert extract_archive(archive, tmp_path / "out", archive_format)
    assert everything_below(tmp_path / "out") == {"a.txt": b"a", "deep/er/b.txt": b"b"}


def test_extracting_twice_refreshes_files_and_keeps_others(tmp_path):
    archive = tar(tmp_path / "archive", ("a.txt", b"new"))
    out = tmp_path / "out"
    out.mkdir()
    (out / "a.txt").write_bytes(b"old")
    (out / "mine.txt").write_bytes(b"mine")
    assert extract_archive(archive, out)
    assert everything_below(out) == {"a.txt": b"new", "mine.txt": b"mine"}


def test_other_files_and_formats_are_no_match(tmp_path):
    plain = tmp_path / "plain"
    plain.write_text("no archive")
    archive = zipped(tmp_path / "archive", ("a", b"a"))
    assert not extract_archive(plain, tmp_path / "out")
    assert not extract_archive(archive, tmp_path / "out", "tar")
    assert not extract_archive(archive, tmp_path / "out", None)
    assert not (tmp_path / "out").exists()
    with pytest.raises(ValueError, match="rar"):
        extract_archive(archive, tmp_path / "out", "rar")


NAMES_THAT_LEAD_OUT = [
    "../evil",
    "a/../../evil",
    "/tmp/minikeras-evil",
    "..\\evil",
    "a\\..\\..\\evil",
    "C:\\evil",
    "../out_evil/x",  # a sibling whose name begins like the target's
]


@pytest.mark.parametrize("name", NAMES_THAT_LEAD_OUT)
@pytest.mark.parametrize("make", [tar, zipped])
def test_names_that_lead_out_are_refused_before_anything_is_written(tmp_path, make, name):
    archive = make(tmp_path / "archive", ("good.txt", b"good"), (name, b"evil"))
    before = everything_below(tmp_path)
    with pytest.raises(ValueError, match="leads out of the folder"):
        extract_archive(archive, tmp_path / "out")
    assert everything_below(tmp_path) == before
    assert not os.path.exists("/tmp/minikeras-evil")


def test_names_are_judged_by_the_target_not_by_the_working_directory(tmp_path, monkeypatch):
    monkeypatch.chdir("/")
    archive = tar(tmp_path / "archive", ("../evil", b"evil"))
    with pytest.raises(ValueError, match="leads out"):
        extract_archive(archive, tmp_path / "out")
    assert not (tmp_path / "evil").exists()


@pytest.mark.parametrize(
    "members",
    [
        [link("leak", "/etc/passwd")],
        [link("leak", "../secret")],
        [link("dir/leak", "../../secret")],
        # Each link is harmless by its letters alone; together they lead out.
        [("p/q/r/x", b""), link("p/q/r/up", "../../.."), link("p/q/r/leak", "up/../secret")],
    ],
)
def test_links_that_lead_out_are_refused(tmp_path, members):
    (tmp_path / "secret").write_text("secret")
    archive = tar(tmp_path / "archive", *members)
    with pytest.raises(ValueError, match="link"):
        extract_archive(archive, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_no_file_is_written_through_a_link(tmp_path):
    outside = tmp_path / "outside"
    outside.mkdir()
    archive = tar(tmp_path / "archive", link("door", str(outside)), ("door/evil", b"evil"))
    with pytest.raises(ValueError):
        extract_archive(archive, tmp_path / "out")
    assert not list(outside.iterdir())


def test_no_file_is_written_through_a_link_that_was_there_before(tmp_path):
    outside, out = tmp_path / "outside", tmp_path / "out"
    outside.mkdir()
    out.mkdir()
    (outside / "file").write_bytes(b"safe")
    (out / "door").symlink_to(outside)
    (out / "file").symlink_to(outside / "file")
    with pytest.raises(ValueError, match="link or a file"):
        extract_archive(tar(tmp_path / "one", ("door/evil", b"evil")), out)
    assert extract_archive(tar(tmp_path / "two", ("file", b"new")), out)
    assert everything_below(outside) == {"file": b"safe"}
    assert (out / "file").read_bytes() == b"new"


def test_a_chain_of_links_too_long_to_resolve_is_refused(tmp_path):
    part = "d" * 200
    members, path = [], ""
    for letter in "abcdefghijklmnopqrstuvwxyz":
        members.append((f"{path}{part}/x", b""))
        members.append(link(f"{path}{letter}", part))
        path = f"{path}{letter}/"
    members.append(link(f"{path}last", "../" * 30 + "secret"))
    with pytest.raises((ValueError, OSError)):
        extract_archive(tar(tmp_path / "archive", *members), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_harmless_links_survive(tmp_path):
    archive = tar(
        tmp_path / "archive",
        ("v1/data", b"data"),
        link("latest", "v1"),
        link("copy", "v1/data", tarfile.LNKTYPE),
    )
    assert extract_archive(archive, tmp_path / "out")
    assert (tmp_path / "out/latest/data").read_bytes() == b"data"
    assert (tmp_path / "out/copy").read_bytes() == b"data"
    assert extract_archive(archive, tmp_path / "out")


@pytest.mark.parametrize("target", ["../secret", "/etc/passwd", "nowhere"])
def test_hard_links_reach_nothing_on_the_disk(tmp_path, target):
    (tmp_path / "secret").write_text("secret")
    archive = tar(tmp_path / "archive", link("leak", target, tarfile.LNKTYPE))
    with pytest.raises(ValueError, match="does not hold"):
        extract_archive(archive, tmp_path / "out")


@pytest.mark.parametrize("kind", [tarfile.FIFOTYPE, tarfile.CHRTYPE, tarfile.BLKTYPE])
def test_devices_and_pipes_are_refused(tmp_path, kind):
    with pytest.raises(ValueError, match="device or a pipe"):
        extract_archive(tar(tmp_path / "archive", link("x", "", kind)), tmp_path / "out")


def test_a_damaged_archive_leaves_nothing(tmp_path):
    archive = tar(tmp_path / "archive", ("a", os.urandom(1 << 16)), ("b", os.urandom(1 << 16)))
    archive.write_bytes(archive.read_bytes()[: -(1 << 15)])
    with pytest.raises(ValueError, match="cannot be extracted"):
        extract_archive(archive, tmp_path / "out")
    assert [path.name for path in tmp_path.iterdir()] == ["archive"]


def test_a_file_where_the_folder_should_be(tmp_path):
    (tmp_path / "out").write_text("mine")
    with pytest.raises(ValueError, match="that is a file"):
        extract_archive(tar(tmp_path / "archive", ("a", b"a")), tmp_path / "out")


def test_permissions_are_those_of_new_files(tmp_path):
    script = tarfile.TarInfo("run")
    script.mode = 0o4755
    archive = tar(tmp_path / "archive", ("data", b"data"), script)
    mask = os.umask(0o027)
    try:
        extract_archive(archive, tmp_path / "out")
    finally:
        os.umask(mask)
    modes = {path.name: oct(path.stat().st_mode & 0o7777) for path in (tmp_path / "out").iterdir()}
    assert modes == {"data": oct(0o640), "run": oct(0o750)}
    assert (tmp_path / "out").stat().st_mode & 0o7777 == 0o750
