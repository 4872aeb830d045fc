"""The checker of built pages finds what is wrong with a small site, and nothing else."""

import importlib.util

import pytest

from .pages import DOCS


@pytest.fixture(scope="module")
def checker():
    spec = importlib.util.spec_from_file_location("check_links", DOCS / "check_links.py")
    module = importlib.util.module_from_spec(spec)
    # Dataclasses look for their module there.
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(importlib.sys.modules, "check_links", module)
        spec.loader.exec_module(module)
        yield module


@pytest.fixture
def site(tmp_path):
    """Write pages below a folder; a site needs an index."""

    def write(**pages):
        for name, body in {"index": "<h1 id='start'>Start</h1>", **pages}.items():
            path = tmp_path / (name.replace("__", "/") + ".html")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(f"<html><body>{body}</body></html>", "utf-8")
        return tmp_path

    return write


@pytest.mark.parametrize(
    "link",
    [
        "index.html", "index.html#start", "#here", "#", "guide/", "guide/index.html?v=1",
        "index.html#:~:text=Start", "/index.html", "mailto:a@example.org", "data:,x", "#top",
    ],
)  # fmt: skip
def test_a_link_to_what_is_there_is_no_fault(checker, site, link):
    root = site(page=f"<p id='here'><a href='{link}'>x</a></p>", guide__index="")
    assert checker.check_site(root)[0] == []


@pytest.mark.parametrize(
    ("link", "fault"),
    [
        ("gone.html", "no file 'gone.html'"),
        ("index.html#gone", "no anchor 'index.html#gone'"),
        ("#gone", "no anchor '#gone'"),
        ("../../etc/passwd", "leads out of the site"),
        ("", "an empty link"),
    ],
)
def test_a_link_to_what_is_not_there_is_a_fault_with_its_page(checker, site, link, fault):
    faults, _ = checker.check_site(site(page=f"\n\n<a href='{link}'>x</a>"))
    assert len(faults) == 1
    assert faults[0].startswith("page.html, line 3: ")
    assert fault in faults[0]


@pytest.mark.parametrize(
    "tag",
    ["<script src='gone.js'></script>", "<link href='gone.css'>", "<img alt='a' src='gone.png'>",
     "<audio><source src='gone.wav'></audio>"],
)  # fmt: skip
def test_files_that_a_page_needs_are_checked_like_links(checker, site, tag):
    assert len(checker.check_site(site(page=tag))[0]) == 1


@pytest.mark.parametrize("tag", ["<img src='data:,x'>", "<img src='data:,x' alt=' '>"])
def test_an_image_without_alt_text_is_a_fault(checker, site, tag):
    assert "without alt text" in checker.check_site(site(page=tag))[0][0]


def test_thumbnails_in_a_link_of_the_gallery_need_no_alt_text(checker, site):
    thumbnail = "<div class='sphx-glr-thumbcontainer'><img src='data:,x' alt=''></div>"
    assert checker.check_site(site(page=thumbnail))[0] == []
    assert len(checker.check_site(site(page=thumbnail + "<img src='data:,x' alt=''>"))[0]) == 1


def test_addresses_elsewhere_are_listed_only(checker, site, capsys):
    root = site(page="<a href='https://example.org/x'>x</a>")
    assert checker.main([str(root), "--external"]) == 0
    assert "https://example.org/x  (1 pages, such as page.html)" in capsys.readouterr().out


def test_the_status_of_the_command_tells_of_faults(checker, site, capsys):
    assert checker.main([str(site())]) == 0
    assert checker.main([str(site(page="<a href='gone.html'>x</a>"))]) == 1
    assert "gone.html" in capsys.readouterr().err


def test_a_folder_without_pages_is_wrong_use(checker, tmp_path, capsys):
    with pytest.raises(SystemExit):
        checker.main([str(tmp_path)])
    assert "build the pages first" in capsys.readouterr().err
