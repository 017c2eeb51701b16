"""Small files of the user."""

import os
import stat
import sys
from pathlib import Path

import pytest

from asyncchat._files import write_atomically


@pytest.mark.skipif(sys.platform == "win32", reason="it has no modes")
def test_a_file_is_its_owners_alone(tmp_path: Path) -> None:
    file = tmp_path / "secret"
    write_atomically(file, b"one")
    write_atomically(file, b"two")
    assert file.read_bytes() == b"two"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_a_file_that_cannot_be_written_stays_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "secret"
    write_atomically(file, b"one")

    def fail(source: object, target: object) -> None:
        raise OSError("full")

    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(OSError, match="full"):
        write_atomically(file, b"two")
    assert file.read_bytes() == b"one"
    assert list(tmp_path.iterdir()) == [file]
