"""Objects saved into files, and loaded again, or refused."""

from __future__ import annotations

import contextlib
import os
import pickle
import random
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from _fuzz import mutate

from reactorlib.persisted import _encryption, sob
from reactorlib.persisted.error import (
    DamagedFile,
    FileNotTrusted,
    LoadError,
    NameGone,
    NameRefused,
    NotData,
    PassphraseNeeded,
    SaveError,
    ValueMissing,
    WrongPassphrase,
)
from reactorlib.persisted.styles import Versioned, doUpgrade
from reactorlib.python.components import Componentized

STYLES = {"pickle": "tap", "xml": "tax", "source": "tas"}

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")


class Kept:
    """What is saved here."""

    def __init__(self, **attributes: Any) -> None:
        self.__dict__.update(attributes)

    def method(self) -> None:
        """What is bound."""

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Kept) and self.__dict__ == other.__dict__

    __hash__ = None  # type: ignore[assignment]


class Grown(Versioned):
    persistenceVersion = 2

    def upgradeToVersion2(self) -> None:
        self.grown = True


@pytest.fixture(params=list(STYLES))
def style(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


def save(obj: Any, style: str, path: Path, passphrase: str | None = None) -> str:
    persistent = sob.Persistent(obj, "kept")
    persistent.setStyle(style)
    persistent.save(filename=str(path), passphrase=passphrase)
    return str(path)


@pytest.fixture(autouse=True)
def keys_are_quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """The passphrases of tests are not worth half a second each."""
    monkeypatch.setattr(_encryption, "_COST", 6)


Module = Callable[[str, str], None]


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Module:
    """Writes a module that can be imported by its name."""
    folder = tmp_path / "modules"
    folder.mkdir()
    monkeypatch.syspath_prepend(folder)

    def write(name: str, text: str) -> None:
        import importlib
        import sys

        monkeypatch.delitem(sys.modules, name, raising=False)
        (folder / f"{name}.py").write_text(text)
        importlib.invalidate_caches()

    return write


# -- there and back -----------------------------------------------------------


def test_what_is_saved_comes_back(style: str, tmp_path: Path) -> None:
    obj = Kept(number=1, text="süß\r\n\0", parts=[1.5, None, {"k": (b"\xff", True)}])
    filename = save(obj, style, tmp_path / "kept")
    assert sob.load(filename, style) == obj


def test_files_are_named_after_the_object_the_tag_and_the_style(
    style: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    persistent = sob.Persistent([1], "kept")
    persistent.setStyle(style)
    persistent.save()
    persistent.save("yesterday")
    persistent.save(passphrase="sesame")
    ending = STYLES[style]
    assert sorted(os.listdir()) == sorted(
        [f"kept.{ending}", f"kept-yesterday.{ending}", f"kept.e{ending}"]
    )
    for name in os.listdir():
        assert sob.guessType(name) == style
        assert stat.S_IMODE(os.stat(name).st_mode) == 0o600


def test_a_loaded_object_is_saved_in_the_style_it_had(style: str, tmp_path: Path) -> None:
    obj = Componentized()
    obj.setComponent(sob.IPersistable, sob.Persistent(obj, "kept"))
    loaded = sob.load(save(obj, style, tmp_path / "kept"), style)
    persistent: Any = sob.IPersistable(loaded)
    assert persistent.style == style
    assert persistent.original is loaded


def test_old_versions_are_brought_up(style: str, tmp_path: Path) -> None:
    old = Grown()
    Grown.persistenceVersion = 1
    try:
        filename = save([old], style, tmp_path / "kept")
    finally:
        Grown.persistenceVersion = 2
    (loaded,) = sob.load(filename, style)
    assert loaded.__dict__ == {"grown": True}


def test_a_version_without_a_way_to_it_is_one_line(
    style: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    filename = save([Grown(), Grown()], style, tmp_path / "kept")
    monkeypatch.setattr(Grown, "persistenceVersion", 3)
    with pytest.raises(DamagedFile, match=r"kept: cannot be .*upgradeToVersion3") as caught:
        sob.load(filename, style)
    assert "\n" not in str(caught.value)
    doUpgrade()  # what could not be loaded is not kept for later


def test_random_damage_is_a_load_error(style: str, tmp_path: Path) -> None:
    """Whatever is wrong with a file, it is told as that, or does not matter."""
    path = tmp_path / "kept"
    save(Kept(a=[1, "two", {"three": b"4"}, (None, 1.5)], b={5}), style, path)
    whole = path.read_bytes()
    rng = random.Random(7)
    good = 0
    for _ in range(500):
        path.write_bytes(mutate(rng, mutate(rng, whole)))
        # Changed bytes may name anything: nothing else is to be called.
        with contextlib.suppress(LoadError):
            sob.load(str(path), style, allow={f"{__name__}.Kept"})
            good += 1
    assert good < 400


@pytest.mark.parametrize(
    ("name", "style"),
    [("a.py", "python"), ("a.tac", "python"), ("a.etac", "python"), ("x/a.b.tap", "pickle")]
    + [(f"a.{e}{ending}", style) for style, ending in STYLES.items() for e in ("", "e")],
)
def test_styles_are_guessed_from_names(name: str, style: str) -> None:
    assert sob.guessType(name) == style


def test_a_name_that_says_nothing_is_no_style() -> None:
    with pytest.raises(KeyError):
        sob.guessType("file.blah")
    with pytest.raises(ValueError, match="'jelly'"):
        sob.Persistent(1, "x").setStyle("jelly")
    with pytest.raises(ValueError, match="'jelly'"):
        sob.load("x", "jelly")


# -- saving that fails --------------------------------------------------------


def test_what_cannot_be_saved_leaves_the_old_file(style: str, tmp_path: Path) -> None:
    path = tmp_path / "kept"
    save([1], style, path)
    with pytest.raises(SaveError, match="kept: ") as caught:
        save(Kept(a=[1, lambda: 0]), style, path)
    assert "\n" not in str(caught.value)
    assert sob.load(str(path), style) == [1]
    assert os.listdir(tmp_path) == ["kept"]


@pytest.mark.parametrize("style", ["xml", "source"])
def test_the_error_says_where_it_is(style: str, tmp_path: Path) -> None:
    with pytest.raises(SaveError, match=r"kept: a\[1\]\['b'\] is a lambda"):
        save(Kept(a=[1, {"b": lambda: 0}]), style, tmp_path / "kept")


def test_what_is_nested_too_deeply_is_refused(style: str, tmp_path: Path) -> None:
    nested: list[Any] = []
    for _ in range(100_000):
        nested = [nested]
    with pytest.raises(SaveError, match="nested too deeply"):
        save(nested, style, tmp_path / "kept")
    assert os.listdir(tmp_path) == []
    while nested:  # a deep list is not freed in one go without recursion
        nested = nested.pop()


# -- whom to trust ------------------------------------------------------------


@pytest.mark.parametrize("mode", [0o620, 0o602, 0o666])
def test_a_file_that_others_can_write_is_refused(style: str, mode: int, tmp_path: Path) -> None:
    filename = save([1], style, tmp_path / "kept")
    os.chmod(filename, mode)
    with pytest.raises(FileNotTrusted, match=r"kept: refused: .* can write it") as caught:
        sob.load(filename, style)
    assert "\n" not in str(caught.value)
    os.chmod(filename, 0o644)
    assert sob.load(filename, style) == [1]


@pytest.mark.parametrize("mode", [0o777, 0o703])
def test_a_folder_that_others_can_write_is_refused(style: str, mode: int, tmp_path: Path) -> None:
    (tmp_path / "a" / "b").mkdir(parents=True)
    filename = save([1], style, tmp_path / "a" / "b" / "kept")
    for folder in (tmp_path / "a", tmp_path / "a" / "b"):
        folder.chmod(mode)
        with pytest.raises(FileNotTrusted, match=rf"its folder {folder}, and put another"):
            sob.load(filename, style)
        folder.chmod(mode | stat.S_ISVTX)
        assert sob.load(filename, style) == [1]
        folder.chmod(0o755)


def test_a_link_in_a_folder_that_others_can_write_is_refused(tmp_path: Path) -> None:
    (tmp_path / "open").mkdir(mode=0o700)
    save([1], "pickle", tmp_path / "kept")
    link = tmp_path / "open" / "link"
    link.symlink_to(tmp_path / "kept")
    assert sob.load(str(link), "pickle") == [1]
    (tmp_path / "open").chmod(0o777)
    with pytest.raises(FileNotTrusted, match="its folder"):
        sob.load(str(link), "pickle")


@as_root
def test_a_file_of_another_user_is_refused(style: str, tmp_path: Path) -> None:
    (tmp_path / "theirs").mkdir()
    filename = save([1], style, tmp_path / "theirs" / "kept")
    os.chown(filename, 12345, -1)
    with pytest.raises(FileNotTrusted, match="belongs to uid 12345, and this runs as"):
        sob.load(filename, style)
    os.chown(filename, 0, -1)
    os.chown(tmp_path / "theirs", 12345, -1)
    with pytest.raises(FileNotTrusted, match="theirs belongs to uid 12345"):
        sob.load(filename, style)


def test_a_pipe_is_no_file(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe", 0o600)
    with pytest.raises(DamagedFile, match="not a regular file"):
        sob.load(str(tmp_path / "pipe"), "pickle")


def test_a_file_that_is_not_there_is_an_error_of_the_system(style: str, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        sob.load(str(tmp_path / "kept"), style)


# -- what is damaged ----------------------------------------------------------


def test_a_file_that_is_cut_off_anywhere_is_refused(style: str, tmp_path: Path) -> None:
    path = tmp_path / "kept"
    save(Kept(a=[1, "two", {"three": b"4"}]), style, path)
    whole = path.read_bytes().rstrip(b"\n")
    for length in range(len(whole)):
        path.write_bytes(whole[:length])
        with pytest.raises(LoadError) as caught:
            sob.load(str(path), style)
        assert str(caught.value).startswith(f"{path}: ")
        assert "\n" not in str(caught.value)


def test_a_damaged_pickle_takes_no_memory(tmp_path: Path) -> None:
    """A memo's number, of damaged bytes, would be the size of an array."""
    path = tmp_path / "kept"
    for memo in (b"r\xff\xff\xff\x7f", b"p99999999999\n"):
        path.write_bytes(b"\x80\x02]" + memo + b".")
        path.chmod(0o600)
        with pytest.raises(DamagedFile, match="more objects than it has bytes"):
            sob.load(str(path), "pickle")


def test_more_than_a_pickle_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "kept"
    save([1], "pickle", path)
    path.write_bytes(path.read_bytes() + b"x")
    with pytest.raises(DamagedFile, match="after the end"):
        sob.load(str(path), "pickle")


@pytest.mark.parametrize("content", [b"hello", b"\0" * 40, b"", "Grüße".encode("utf-16")])
def test_what_is_something_else_is_refused(style: str, content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "kept"
    path.write_bytes(content)
    path.chmod(0o600)
    with pytest.raises(LoadError) as caught:
        sob.load(str(path), style)
    assert "\n" not in str(caught.value)


def test_a_state_that_its_class_refuses_is_one_line(
    style: str, module: Module, tmp_path: Path
) -> None:
    module("picky", "class Picky:\n  def __init__(self): self.x = 1\n")
    import picky  # type: ignore[import-not-found]

    filename = save(picky.Picky(), style, tmp_path / "kept")
    module("picky", "class Picky:\n  def __setstate__(self, s): raise ValueError('no\\nthanks')\n")
    with pytest.raises(DamagedFile, match="ValueError: no thanks") as caught:
        sob.load(filename, style)
    assert isinstance(caught.value.__cause__, ValueError)


# -- names --------------------------------------------------------------------


def test_a_class_that_is_gone_is_named_with_what_to_do(
    style: str, module: Module, tmp_path: Path
) -> None:
    module("quoters", "class Quoter:\n  pass\n")
    import quoters  # type: ignore[import-not-found]

    filename = save([quoters.Quoter()], style, tmp_path / "kept")
    module("quoters", "")
    with pytest.raises(NameGone, match=r"needs quoters\.Quoter, .*has moved, import it") as caught:
        sob.load(filename, style)
    assert caught.value.name == "quoters.Quoter"
    assert "\n" not in str(caught.value)

    module("newplace", "class Quoter:\n  pass\n")
    module("quoters", "from newplace import Quoter\n")
    (loaded,) = sob.load(filename, style)
    assert type(loaded).__module__ == "newplace"


def test_a_module_that_is_gone_is_named_with_what_to_do(
    style: str, module: Module, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import sys

    module("quoters", "class Quoter:\n  pass\n")
    import quoters

    filename = save([quoters.Quoter()], style, tmp_path / "kept")
    monkeypatch.delitem(sys.modules, "quoters")
    (tmp_path / "modules" / "quoters.py").unlink()
    with pytest.raises(NameGone, match=r"needs quoters\.Quoter, .*to PYTHONPATH"):
        sob.load(filename, style)
    module("quoters", "import nowhere_to_be_found\n")
    with pytest.raises(NameGone, match="whose module needs 'nowhere_to_be_found'"):
        sob.load(filename, style)
    module("quoters", "1 / 0\n")
    with pytest.raises(NameGone, match="importing quoters failed: ZeroDivisionError"):
        sob.load(filename, style)


def test_a_class_of_a_script_is_explained(tmp_path: Path) -> None:
    path = tmp_path / "kept"
    path.write_bytes(b"c__main__\nMyProtocol\n.")
    path.chmod(0o600)
    with pytest.raises(NameGone, match=r"run as a script .* move it to a module of its own"):
        sob.load(str(path), "pickle")


def test_names_can_be_limited(style: str, module: Module, tmp_path: Path) -> None:
    module("quoters", "import os\nclass Quoter:\n  pass\n")
    import quoters

    obj = [quoters.Quoter(), {1}]
    filename = save(obj, style, tmp_path / "kept")
    for allow in ({"quoters"}, {"quoters.Quoter"}, lambda module, name: module != "os"):
        assert type(sob.load(filename, style, allow=allow)[0]) is quoters.Quoter
    for allow in (set[str](), {"quoter"}, {"quoters.Other"}, lambda module, name: False):
        with pytest.raises(NameRefused, match=r"quoters\.Quoter"):
            sob.load(filename, style, allow=allow)


def test_what_an_allowed_module_imports_is_not_allowed(module: Module, tmp_path: Path) -> None:
    module("quoters", "import os\nfrom os import system\nclass Quoter:\n  pass\n")
    path = tmp_path / "kept"
    for name in ("os.system", "system"):
        body = pickle.PROTO + b"\x04cquoters\n" + name.encode() + b"\n(S'true'\ntR."
        path.write_bytes(body)
        path.chmod(0o600)
        with pytest.raises(NameRefused):
            sob.load(str(path), "pickle", allow={"quoters"})


def test_a_private_module_may_move(tmp_path: Path) -> None:
    path = tmp_path / "kept"
    path.write_bytes(b"creactorlib.application.service._elsewhere\nMultiService\n.")
    path.chmod(0o600)
    from reactorlib.application.service import MultiService

    assert sob.load(str(path), "pickle") is MultiService


# -- passphrases --------------------------------------------------------------


def test_a_passphrase_is_needed_and_has_to_be_right(style: str, tmp_path: Path) -> None:
    path = tmp_path / "kept"
    filename = save(["a secret"], style, path, passphrase="sesame")
    assert b"secret" not in path.read_bytes()
    assert sob.load(filename, style, "sesame") == ["a secret"]
    with pytest.raises(PassphraseNeeded):
        sob.load(filename, style)
    with pytest.raises(WrongPassphrase, match=r"kept: the passphrase is wrong"):
        sob.load(filename, style, "simsim")


@pytest.mark.parametrize("place", [30, 45, -1, -20])
def test_what_is_encrypted_cannot_be_changed(place: int, tmp_path: Path) -> None:
    """RFC 5116: the header and the contents are authenticated."""
    path = tmp_path / "kept"
    filename = save([1], "pickle", path, passphrase="sesame")
    changed = bytearray(path.read_bytes())
    changed[place] ^= 1
    path.write_bytes(changed)
    with pytest.raises(WrongPassphrase):
        sob.load(filename, "pickle", "sesame")


def test_an_encrypted_file_may_not_ask_for_all_memory(tmp_path: Path) -> None:
    path = tmp_path / "kept"
    filename = save([1], "pickle", path, passphrase="sesame")
    whole = path.read_bytes()
    at = whole.index(b"\n") + 1
    for cost, block, parallel in [(31, 8, 1), (17, 255, 1), (17, 8, 255), (0, 8, 1), (17, 0, 1)]:
        path.write_bytes(whole[:at] + bytes((cost, block, parallel)) + whole[at + 3 :])
        with pytest.raises(DamagedFile, match="more memory or time"):
            sob.load(filename, "pickle", "sesame")
    for length in (at, at + 3, at + 40):
        path.write_bytes(whole[:length])
        with pytest.raises(DamagedFile, match="cut off"):
            sob.load(filename, "pickle", "sesame")


def test_a_passphrase_for_what_is_not_encrypted_is_an_error(tmp_path: Path) -> None:
    filename = save([1], "pickle", tmp_path / "kept")
    with pytest.raises(DamagedFile, match="is not encrypted"):
        sob.load(filename, "pickle", "sesame")


def test_an_empty_passphrase_is_none(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="empty"):
        save([1], "pickle", tmp_path / "kept", passphrase="")


# -- programs -----------------------------------------------------------------


def test_a_value_of_a_program(tmp_path: Path) -> None:
    path = tmp_path / "it.tac"
    path.write_text("application = [__file__]\n")
    assert sob.loadValueFromFile(str(path), "application") == [str(path)]
    with pytest.raises(ValueMissing, match=r"it\.tac: does not define 'app'"):
        sob.loadValueFromFile(str(path), "app")
    with pytest.raises(KeyError):
        sob.loadValueFromFile(str(path), "app")


def test_the_traceback_of_a_program_shows_its_line(tmp_path: Path) -> None:
    path = tmp_path / "it.tac"
    path.write_text("def f():\n    1 / 0\nf()\n")
    with pytest.raises(ZeroDivisionError) as caught:
        sob.loadValueFromFile(str(path), "application")
    assert [(str(entry.path), entry.lineno + 1) for entry in caught.traceback[-2:]] == [
        (str(path), 3),
        (str(path), 2),
    ]


def test_an_encrypted_program(tmp_path: Path) -> None:
    path = tmp_path / "it.etac"
    path.write_bytes(_encryption.encrypt(b"application = 7", "sesame"))
    assert sob.loadValueFromFile(str(path), "application", "sesame") == 7
    with pytest.raises(PassphraseNeeded, match=r"it\.etac: is encrypted"):
        sob.loadValueFromFile(str(path), "application")


def test_code_in_source_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "kept"
    path.write_text("app=[\n  open('x'),\n  ]\n")
    path.chmod(0o600)
    with pytest.raises(NotData, match=r"kept: line 2: \"open\('x'\)\" is code"):
        sob.load(str(path), "source")
