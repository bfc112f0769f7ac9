"""Which commands are carried out natively, word for word."""

from __future__ import annotations

import pytest

from pip_intoto.verification.inspections import Nothing, Unpack, recognise

WHEEL = "demo-1.0-py3-none-any.whl"
SDIST = "demo-1.0.tar.gz"


@pytest.mark.accepts("I3")
@pytest.mark.parametrize(
    ("run", "expected"),
    [
        ("true", Nothing()),
        ("/bin/true", Nothing()),
        (f"unzip {WHEEL}", Unpack("zip", WHEEL, "", wildcards=True)),
        (f"unzip -q -o {WHEEL} -d out/", Unpack("zip", WHEEL, "out/", wildcards=True)),
        ("unzip *.whl", Unpack("zip", "*.whl", "", wildcards=True)),
        (f"python -m zipfile -e {WHEEL} .", Unpack("zip", WHEEL, "")),
        (f"python3.12 -m zipfile --extract {WHEEL} ./a/b", Unpack("zip", WHEEL, "a/b/")),
        (f"/usr/bin/python3 -m tarfile -e {SDIST}", Unpack("tar", SDIST, "")),
        (f"python -m tarfile -e {SDIST} x", Unpack("tar", SDIST, "x/")),
        (f"python -m wheel unpack {WHEEL}", Unpack("zip", WHEEL, "demo-1.0/")),
        (f"wheel unpack {WHEEL} -d out", Unpack("zip", WHEEL, "out/demo-1.0/")),
        (f"wheel unpack --dest out {WHEEL}", Unpack("zip", WHEEL, "out/demo-1.0/")),
        (f"tar xf {SDIST}", Unpack("tar", SDIST, "")),
        (f"tar -xzvf {SDIST}", Unpack("tar", SDIST, "")),
        (f"tar -xf ./{SDIST} -C out", Unpack("tar", f"./{SDIST}", "out/")),
        (f"tar --extract --gzip --file={SDIST} --directory=out", Unpack("tar", SDIST, "out/")),
        (f"tar -x -f {SDIST}", Unpack("tar", SDIST, "")),
        (f"tar xzf {SDIST}", Unpack("tar", SDIST, "")),
        (f"tar xfz {SDIST}", Unpack("tar", SDIST, "")),
        (f"tar fzvx {SDIST} -C out", Unpack("tar", SDIST, "out/")),
    ],
)
def test_I3_commands_that_are_native(run: str, expected: object) -> None:
    assert recognise(run.split()) == expected


@pytest.mark.rejects("I3")
@pytest.mark.parametrize(
    "run",
    [
        "",
        "true now",
        "./true",
        "sh -c true",
        "unzip",
        f"unzip {WHEEL} demo/x",
        f"unzip -x {WHEEL}",
        f"unzip {WHEEL} -d ../out",
        f"unzip {WHEEL} -d /tmp",
        f"unzip /tmp/{WHEEL}",
        f"unzip -P secret {WHEEL}",
        f"unzip -j {WHEEL}",
        f"./unzip {WHEEL}",
        f"python -m zipfile -e {WHEEL}",
        f"python -m zipfile -c {WHEEL} .",
        f"python -c zipfile -e {WHEEL} .",
        f"./python -m zipfile -e {WHEEL} .",
        f"python2evil -m zipfile -e {WHEEL} .",
        "python -m wheel unpack demo.whl",
        f"python -m wheel pack {WHEEL}",
        f"tar -tf {SDIST}",
        f"tar -cf {SDIST}",
        f"tar -xf {SDIST} --strip-components=1",
        f"tar -xf {SDIST} --strip-components 1",
        f"tar -xf {SDIST} --exclude=evil",
        f"tar -xf {SDIST} --transform=s/a/b/",
        f"tar -xf {SDIST} demo/only",
        f"tar -xf {SDIST} --to-command=sh",
        f"tar -xf {SDIST} -C ..",
        f"tar -xf {SDIST} -C a -C b",
        f"tar -xf {SDIST} -f other.tar",
        "tar -xf",
        "tar xfz",
        # After a dash, what follows the f is the file's name, and the next word a member's.
        "tar -xfz",
        f"tar -xfz {SDIST}",
        f"tar -fx {SDIST}",
        f"tar -v xfz {SDIST}",
        # Two files, or none; another folder, or another operation.
        f"tar xff {SDIST} {SDIST}",
        f"tar xz {SDIST}",
        f"tar xfC {SDIST} out",
        f"tar xfO {SDIST}",
        f"tar tfz {SDIST}",
        f"tar cfz {SDIST}",
        f"tar -vf {SDIST}",
    ],
)
def test_I3_commands_that_are_not(run: str) -> None:
    assert recognise(run.split()) is None


def test_only_unzip_reads_its_archive_as_a_pattern() -> None:
    unzip = recognise(["unzip", "*.whl"])
    python = recognise(["python", "-m", "zipfile", "-e", "*.whl", "."])
    tar = recognise(["tar", "xf", f"./{SDIST}"])
    assert isinstance(unzip, Unpack)
    assert isinstance(python, Unpack)
    assert isinstance(tar, Unpack)
    assert unzip.names(WHEEL)
    assert not unzip.names(SDIST)
    assert not python.names(WHEEL)
    assert tar.names(SDIST)
