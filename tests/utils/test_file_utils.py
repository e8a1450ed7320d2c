"""`get_file` against a server on loopback."""

import hashlib
import http.server
import threading

import pytest

from minikeras.utils import get_file
from minikeras.utils.file_utils import hash_file, validate_file
from tests.utils.test_archives import everything_below, tar, zipped

CONTENT = bytes(range(256)) * 1000
SHA256 = hashlib.sha256(CONTENT).hexdigest()
MD5 = hashlib.md5(CONTENT, usedforsecurity=False).hexdigest()


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.server.requests.append(self.path)
        content = self.server.files.get(self.path)
        if content is None:
            self.send_error(404)
            return
        self.send_response(200)
        cut = self.path == "/cut"
        if self.path != "/unknown-length":
            self.send_header("Content-Length", str(len(content) + (10 if cut else 0)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *args):
        pass


@pytest.fixture
def server():
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as httpd:
        httpd.requests = []
        httpd.files = {"/file.bin": CONTENT, "/cut": CONTENT, "/unknown-length": CONTENT}
        httpd.url = f"http://127.0.0.1:{httpd.server_port}"
        thread = threading.Thread(target=httpd.serve_forever)
        thread.start()
        yield httpd
        httpd.shutdown()
        thread.join()


@pytest.mark.parametrize("path", ["/file.bin", "/unknown-length"])
def test_downloads_once(server, tmp_path, path, capsys):
    for _ in range(2):
        found = get_file(origin=server.url + path, cache_dir=tmp_path)
        assert found == str(tmp_path / "datasets" / path[1:])
        assert hash_file(found) == SHA256
    assert server.requests == [path]
    assert "Downloading data from" in capsys.readouterr().out


def test_force_download_and_wrong_hash_download_again(server, tmp_path):
    target = tmp_path / "datasets" / "file.bin"
    target.parent.mkdir()
    target.write_bytes(b"outdated")
    options = {"origin": server.url + "/file.bin", "cache_dir": tmp_path}
    get_file("file.bin", **options)
    assert server.requests == []
    get_file("file.bin", file_hash=SHA256, **options)
    assert target.read_bytes() == CONTENT
    get_file("file.bin", md5_hash=MD5, **options)
    assert len(server.requests) == 1
    get_file("file.bin", force_download=True, **options)
    assert len(server.requests) == 2


@pytest.mark.parametrize(
    ("path", "options", "message"),
    [
        ("/file.bin", {"file_hash": "0" * 64}, "hash"),
        ("/file.bin", {"file_hash": "0" * 32, "hash_algorithm": "md5"}, "hash"),
        ("/missing", {}, "404"),
        ("/cut", {}, "256000 of 256010 bytes"),
    ],
)
def test_a_failed_download_leaves_the_cache_as_it_was(server, tmp_path, path, options, message):
    folder = tmp_path / "datasets"
    folder.mkdir()
    (folder / "x").write_bytes(b"old")
    with pytest.raises((OSError, ValueError), match=message):
        get_file("x", server.url + path, cache_dir=tmp_path, force_download=True, **options)
    assert everything_below(tmp_path) == {"datasets/x": b"old"}


def test_without_a_network_the_error_says_where_to_put_the_file(tmp_path):
    with pytest.raises(OSError, match=r"put the file at .*datasets.x"):
        get_file("x", "http://127.0.0.1:1/x", cache_dir=tmp_path)


@pytest.mark.parametrize(
    ("fname", "origin"),
    [
        ("a/b", "http://127.0.0.1:1/x"),
        ("..", "http://127.0.0.1:1/x"),
        (None, "http://127.0.0.1:1/.."),
        (None, "http://127.0.0.1:1/"),
        ("x", None),
    ],
)
def test_names_that_are_no_plain_names(tmp_path, fname, origin):
    with pytest.raises(ValueError, match="fname|origin"):
        get_file(fname, origin, cache_dir=tmp_path)


def test_unknown_hash_algorithm(tmp_path):
    with pytest.raises(ValueError, match="crc32"):
        get_file("x", "http://127.0.0.1:1/x", file_hash="0", hash_algorithm="crc32")


@pytest.mark.parametrize(
    ("fname", "options", "archive", "folder"),
    [
        ("flowers", {"extract": True}, "flowers_archive", "flowers"),
        ("flowers.tar.gz", {"extract": True}, "flowers.tar.gz", "flowers_extracted"),
        ("flowers.tgz", {"untar": True}, "flowers.tgz", "flowers_extracted"),
        (None, {"extract": True}, "a.tar.gz_archive", "a.tar.gz"),
    ],
)
def test_extraction_uses_the_names_that_keras_uses(
    server, tmp_path, fname, options, archive, folder
):
    server.files["/a.tar.gz"] = tar(tmp_path / "a", ("data.txt", b"data")).read_bytes()
    cache = tmp_path / "cache"
    found = get_file(fname, server.url + "/a.tar.gz", cache_dir=cache, **options)
    assert found == str(cache / "datasets" / folder)
    assert (cache / "datasets" / folder / "data.txt").read_bytes() == b"data"
    assert (cache / "datasets" / archive).is_file()


def test_what_is_no_archive_warns(server, tmp_path):
    with pytest.warns(UserWarning, match="Could not extract"):
        get_file("x", server.url + "/file.bin", cache_dir=tmp_path, extract=True)


def test_a_hostile_archive_is_refused(server, tmp_path):
    server.files["/evil.zip"] = zipped(tmp_path / "z", ("../../evil", b"")).read_bytes()
    with pytest.raises(ValueError, match="leads out"):
        get_file("evil", server.url + "/evil.zip", cache_dir=tmp_path / "cache", extract=True)
    assert not (tmp_path / "evil").exists()
    assert not (tmp_path / "cache" / "evil").exists()


def test_keras_home_and_cache_subdir(server, tmp_path, monkeypatch):
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "home"))
    assert get_file(origin=server.url + "/file.bin") == str(tmp_path / "home/datasets/file.bin")
    found = get_file(origin=server.url + "/file.bin", cache_subdir=str(tmp_path / "elsewhere"))
    assert found == str(tmp_path / "elsewhere/file.bin")


def test_two_threads_may_download_one_file(server, tmp_path):
    found = []

    def download():
        found.append(get_file(origin=server.url + "/file.bin", cache_dir=tmp_path))

    threads = [threading.Thread(target=download) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 4
    assert everything_below(tmp_path) == {"datasets/file.bin": CONTENT}


def test_hashes(tmp_path):
    path = tmp_path / "x"
    path.write_bytes(CONTENT)
    assert hash_file(path) == SHA256
    assert hash_file(path, "md5") == MD5
    assert validate_file(path, SHA256) and validate_file(path, MD5)
    assert validate_file(path, SHA256.upper())
    assert not validate_file(path, SHA256, "md5")
