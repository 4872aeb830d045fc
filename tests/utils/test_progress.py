"""The progress bar: silent unless asked for, and on stderr."""

from skxmodal.utils import progress_bar


def test_without_verbose_nothing_is_shown(capsys):
    assert list(progress_bar(range(3), verbose=0, description="counting")) == [0, 1, 2]
    assert capsys.readouterr() == ("", "")


def test_with_verbose_the_description_is_shown_on_stderr(capsys):
    assert list(progress_bar(range(3), verbose=1, description="counting")) == [0, 1, 2]
    shown = capsys.readouterr()
    assert shown.out == ""
    assert "counting" in shown.err


def test_a_bar_can_be_advanced_by_hand(capsys):
    with progress_bar(verbose=1, description="fetching", total=10, unit="B") as bar:
        bar.update(4)
        assert bar.n == 4
    assert "/10" in capsys.readouterr().err


def test_a_log_file_gets_few_redraws(capsys):
    for _ in progress_bar(range(1000), verbose=1, description="counting"):
        pass
    assert capsys.readouterr().err.count("counting") < 5
