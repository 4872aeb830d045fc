"""AudioSet's lists: read strictly, and kept in parsed form."""

import sys
import time

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from skxmodal.datasets import _audioset_lists
from skxmodal.datasets._audioset_cache import load_segments
from skxmodal.datasets._audioset_lists import ClassLabels, read_class_labels, read_segments

CLASSES = ClassLabels(("/m/a1", "/t/dd2", "/m/c_3"), ("Flute", "Violin, fiddle", "Speech"))
HEADER = (
    "# Segments csv created Sun Mar  5 10:54:31 2017\n"
    "# num_ytids={0}, num_segs={0}, num_unique_labels=3, num_positive_labels=4\n"
    "# YTID, start_seconds, end_seconds, positive_labels\n"
)
LINES = [
    '--PJHxphWEs, 30.000, 40.000, "/m/a1,/t/dd2"',
    '0123456_89-, 0.000, 9.500, "/m/c_3"',
    'abcdefghijk, 110.000, 120.000, "/m/a1,/t/dd2"',
]


def text_of(lines, header=HEADER):
    return header.format(len(lines)) + "".join(line + "\n" for line in lines)


def same(a, b):
    return a.label_sets == b.label_sets and all(
        np.array_equal(getattr(a, name), getattr(b, name))
        for name in ("ytid", "start", "end", "code")
    )


@pytest.fixture
def write(tmp_path):
    """A function that writes a list and returns its path."""

    def write(text):
        path = tmp_path / "some_segments.csv"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    return write


def test_a_list_is_read(write):
    segments = read_segments(write(text_of(LINES)), CLASSES)
    assert segments.ytid.tolist() == [b"--PJHxphWEs", b"0123456_89-", b"abcdefghijk"]
    assert segments.start.tolist() == [30.0, 0.0, 110.0]
    assert segments.end.tolist() == [40.0, 9.5, 120.0]
    assert [segments.label_sets[code] for code in segments.code] == [
        "/m/a1 /t/dd2",
        "/m/c_3",
        "/m/a1 /t/dd2",
    ]
    assert len(segments.label_sets) == 2


def test_a_well_formed_list_goes_through_the_fast_reader(write, monkeypatch):
    monkeypatch.setattr(_audioset_lists, "_parse_lines", None)
    read_segments(write(text_of(LINES)), CLASSES)


@pytest.mark.parametrize(
    "text",
    [text_of(LINES).replace("\n", "\r\n"), text_of(LINES)[:-1]],
    ids=["line ends of Windows", "no last line end"],
)
def test_the_ends_of_lines_do_not_matter(write, text):
    expected = read_segments(write(text_of(LINES)), CLASSES)
    assert same(read_segments(write(text), CLASSES), expected)


def test_a_list_without_segments_is_empty(write):
    assert len(read_segments(write(text_of([])), CLASSES).ytid) == 0


MALFORMED = {
    'abcdefghijk, 0.000, "/m/a1"': "has 3 fields, not 4",
    'abcdefghijk, 0.000, 10.000, 5, "/m/a1"': "has 5 fields, not 4",
    "abcdefghijk, 0.000, 10.000, /m/a1,/m/c_3": "has 5 fields, not 4",
    "": "has 0 fields, not 4",
    "abcdefghijk, 0.000, 10.000, /m/a1": "is not laid out as",
    'abcdefghijk,0.000,10.000,"/m/a1"': "is not laid out as",
    'abcdefghijk,  0.000, 10.000, "/m/a1"': "has the time ' 0.000'",
    'abcdefghijk,0.000,  10.000, "/m/a1"': "is not laid out as",
    'abcdefghijk, 0.000, 10.000, "/m/a1" ': "is not laid out as",
    'abcdefghijk, 0.000, 10.000, "/m/a1': "is not laid out as",
    '"abcdefghijk", 0.000, 10.000, "/m/a1"': "is not laid out as",
    'abcdefghijk, 0.0x0, 10.000, "/m/a1"': "has the time '0.0x0'",
    'abcdefghijk, 0.000, nan, "/m/a1"': "has the time 'nan'",
    'abcdefghijk, 0.000, inf, "/m/a1"': "has the time 'inf'",
    'abcdefghijk, 0.000, 1e3, "/m/a1"': "has the time '1e3'",
    'abcdefghijk, -1.000, 10.000, "/m/a1"': "has the time '-1.000'",
    'abcdefghijk, , 10.000, "/m/a1"': "has the time ''",
    f'abcdefghijk, 0.000, 1{"0" * 400}, "/m/a1"': "has the time '100",
    'abcdefghijk, 10.000, 10.000, "/m/a1"': "ends at 10 s, not after its start at 10 s",
    'abcdefghijk, 20.000, 10.000, "/m/a1"': "ends at 10 s, not after its start at 20 s",
    'abcdefghijk, 0.000, 10.000, "/m/zz"': "has the label '/m/zz', which is not in the list",
    'abcdefghijk, 0.000, 10.000, "/m/a1, /m/c_3"': "has the label ' /m/c_3'",
    'abcdefghijk, 0.000, 10.000, "/m/a1,"': "has the label ''",
    'abcdefghijk, 0.000, 10.000, "5"': "has the label '5'",
    'abcdefghijk, 0.000, 10.000, "/m/a1\0x"': r"has the label '/m/a1\\x00x'",
    'abcdefghijk, 0.000, 10.000, ""': "has no label",
    'abcdefghijk, 0.000, 10.000, "/m/a1,/m/a1"': "has a label twice",
    'abcdefghij, 0.000, 10.000, "/m/a1"': "has the video id 'abcdefghij', not 11",
    'abcdefghijkl, 0.000, 10.000, "/m/a1"': "has the video id 'abcdefghijkl'",
    'abcde ghijk, 0.000, 10.000, "/m/a1"': "has the video id 'abcde ghijk'",
    '../../../et, 0.000, 10.000, "/m/a1"': "has the video id '../../../et'",
    'abcdefghi\u00e9, 0.000, 10.000, "/m/a1"': "has the video id",
}


@pytest.mark.parametrize("line", MALFORMED)
def test_a_malformed_line_is_an_error_with_its_number(write, line):
    path = write(text_of([LINES[0], line, LINES[1]]))
    with pytest.raises(ValueError, match=f"line 5 of '.*some_segments.csv' {MALFORMED[line]}"):
        read_segments(path, CLASSES)


def test_the_first_of_several_malformed_lines_is_named(write):
    path = write(text_of([*LINES, "a", 'abcdefghijk, 2.0, 1.0, "/m/a1"']))
    with pytest.raises(ValueError, match="line 7 of"):
        read_segments(path, CLASSES)


def test_lines_are_counted_across_blocks(write, monkeypatch):
    monkeypatch.setattr(_audioset_lists, "_BLOCK", 100)
    path = write(text_of([*LINES * 10, LINES[0][:-1]]))
    with pytest.raises(ValueError, match="line 34 of"):
        read_segments(path, CLASSES)


def test_the_size_of_a_block_does_not_matter(write, monkeypatch):
    path = write(text_of(LINES * 10))
    expected = read_segments(path, CLASSES)
    monkeypatch.setattr(_audioset_lists, "_BLOCK", 100)
    assert same(read_segments(path, CLASSES), expected)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "line 1 of .* is not a comment"),
        ("\n".join(LINES), "line 1 of .* is not a comment"),
        ("# one\n" + LINES[0], "line 2 of .* is not a comment"),
        ("# one\n# two\n", "line 3 of .* is not a comment"),
        ("# one\n# two\n# three\n", "line 3 of .* is not the header '# YTID, start_seconds"),
        ("# one\n# two\n# YTID,start_seconds,end_seconds,positive_labels\n", "line 3 of"),
        ("\ufeff" + text_of(LINES), "line 1 of"),
    ],
)
def test_a_missing_header_is_an_error(write, text, message):
    with pytest.raises(ValueError, match=message):
        read_segments(write(text), CLASSES)


def test_a_list_that_ends_early_is_an_error(write):
    text = text_of(LINES).rpartition("abcdefghijk")[0]
    with pytest.raises(ValueError, match="has 2 segments, but its header says 3: delete it"):
        read_segments(write(text), CLASSES)


def outcome(path):
    try:
        segments = read_segments(path, CLASSES)
    except ValueError as error:
        return str(error)
    return [
        (*row, segments.label_sets[code])
        for *row, code in zip(
            segments.ytid.tolist(), segments.start.tolist(), segments.end.tolist(), segments.code
        )
    ]


_MUTATION = st.tuples(
    st.integers(0, 200), st.integers(0, 3), st.sampled_from([*b'", \n\r\0/.,a1-#', 200])
)


@settings(
    max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(mutations=st.lists(_MUTATION, min_size=1, max_size=6))
def test_a_damaged_list_reads_as_it_does_line_by_line(write, monkeypatch, mutations):
    body = bytearray("".join(line + "\n" for line in LINES).encode())
    for place, deleted, inserted in mutations:
        place %= len(body) + 1
        body[place : place + deleted] = bytes([inserted])
    path = write(HEADER.partition("\n")[0].encode() + b"\n#\n" + _HEADER_LINE + body)
    fast = outcome(path)
    with monkeypatch.context() as patch:
        patch.setattr(_audioset_lists, "_parse_block", lambda *_: None)
        assert outcome(path) == fast


_HEADER_LINE = HEADER.splitlines(keepends=True)[2].encode()


@settings(
    max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(content=st.binary(max_size=200), header=st.booleans())
def test_any_bytes_are_a_list_or_a_value_error(write, content, header):
    outcome(write(b"#\n#\n" + _HEADER_LINE + content if header else content))


class TestClassLabels:
    def test_ids_and_names_are_read_in_order(self, write):
        path = write('index,mid,display_name\n0,/m/a1,"Flute"\n1,/t/dd2,"Violin, fiddle"\n')
        assert read_class_labels(path) == ClassLabels(
            ("/m/a1", "/t/dd2"), ("Flute", "Violin, fiddle")
        )

    @pytest.mark.parametrize(
        ("line", "message"),
        [
            ("1,/m/b,B,x", "line 3 of .* has 4 fields, not 3"),
            ("", "line 3 of .* has 0 fields, not 3"),
            ("2,/m/b,B", "line 3 of .* has the index '2', not 1"),
            ("x,/m/b,B", "line 3 of .* has the index 'x', not 1"),
            ("1,/m/a,B", "line 3 of .* has the id '/m/a', which is there already"),
            ("1,,B", "line 3 of .* has the id '', which is none"),
            ("1,/m b,B", "line 3 of .* has the id '/m b', which is none"),
            ("1,/m/b,", "line 3 of .* has no name"),
            ("1,/m/b,A", "line 3 of .* has the name 'A' of another class"),
            ('1,/m/b,"B', "line 3 of .* is not CSV"),
            (b"1,/m/b,\xff", "is not CSV"),
        ],
    )
    def test_a_malformed_line_is_an_error_with_its_number(self, write, line, message):
        line = line if isinstance(line, bytes) else line.encode()
        path = write(b"index,mid,display_name\n0,/m/a,A\n" + line + b"\n")
        with pytest.raises(ValueError, match=message):
            read_class_labels(path)

    @pytest.mark.parametrize(
        ("text", "message"),
        [
            ("", "names no class"),
            ("index,mid,display_name\n", "names no class"),
            ("0,/m/a,A\n", "line 1 of .* is not the header 'index,mid,display_name'"),
        ],
    )
    def test_a_missing_header_is_an_error(self, write, text, message):
        with pytest.raises(ValueError, match=message):
            read_class_labels(write(text))


@pytest.fixture(params=[".parquet", ".npz"])
def suffix(request, monkeypatch):
    """Both kinds of cache: with pyarrow, and without."""
    if request.param == ".npz":
        monkeypatch.setitem(sys.modules, "pyarrow", None)
    return request.param


class TestCache:
    @pytest.fixture
    def path(self, write):
        return write(text_of(LINES))

    @pytest.fixture
    def load(self, tmp_path):
        return lambda path: load_segments(path, CLASSES, tmp_path / "cache")

    def caches(self, tmp_path):
        return sorted((tmp_path / "cache").iterdir())

    @pytest.fixture
    def parses(self, monkeypatch):
        """The lists that were parsed."""
        parsed = []

        def counted(path, classes):
            parsed.append(path)
            return read_segments(path, classes)

        monkeypatch.setattr("skxmodal.datasets._audioset_cache.read_segments", counted)
        return parsed

    def test_a_list_is_parsed_once(self, path, load, parses, tmp_path, suffix):
        first, second = load(path), load(path)
        assert len(parses) == 1
        assert same(first, second)
        assert same(first, read_segments(path, CLASSES))
        assert [file.suffix for file in self.caches(tmp_path)] == [suffix, ".sha256"]

    def test_a_list_without_segments_is_kept_too(self, write, load, parses, suffix):
        path = write(text_of([]))
        assert same(load(path), load(path))
        assert len(parses) == 1, suffix

    def test_a_changed_list_is_parsed_anew(self, path, load, parses, write):
        load(path)
        assert len(load(write(text_of(LINES[:1]))).ytid) == 1
        assert len(parses) == 2

    def test_other_classes_are_another_list(self, path, load, parses, tmp_path):
        load(path)
        more = ClassLabels((*CLASSES.ids, "/m/d"), (*CLASSES.names, "Drum"))
        load_segments(path, more, tmp_path / "cache")
        assert len(parses) == 2

    def test_a_damaged_cache_is_made_anew(self, path, load, parses, tmp_path, suffix):
        expected = load(path)
        cache = self.caches(tmp_path)[0]
        whole = cache.read_bytes()
        flipped = bytearray(whole)
        flipped[len(whole) // 2] ^= 1
        for damage in (b"", whole[: len(whole) // 2], bytes(flipped), b"x" * len(whole)):
            cache.write_bytes(damage)
            assert same(load(path), expected)
            assert len(cache.read_bytes()) == len(whole)
        assert len(parses) == 5, suffix

    @pytest.mark.parametrize("digest", ["", "nonsense", "sha256:12", None])
    def test_a_cache_without_its_digest_is_made_anew(self, path, load, parses, tmp_path, digest):
        load(path)
        recorded = self.caches(tmp_path)[1]
        recorded.unlink() if digest is None else recorded.write_text(digest)
        load(path)
        load(path)
        assert len(parses) == 2

    def test_a_cache_that_cannot_be_written_leaves_nothing_behind(
        self, path, load, tmp_path, monkeypatch
    ):
        def full(*_args, **_options):
            raise OSError("No space left on device")

        monkeypatch.setattr("pyarrow.parquet.write_table", full)
        with pytest.raises(OSError, match="No space left"):
            load(path)
        assert self.caches(tmp_path) == []


@pytest.mark.slow
def test_two_million_segments_are_read_in_seconds_and_compact(tmp_path):
    n = 2_000_000
    rng = np.random.default_rng(0)
    alphabet = np.frombuffer(
        b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-", "S1"
    )
    ytid = alphabet[rng.integers(0, 64, (n, 11))].view("S11").ravel().tolist()
    ids = [f"/m/{i:05d}" for i in range(527)]
    sets = [",".join(rng.choice(ids, rng.integers(1, 6), replace=False)) for _ in range(100_000)]
    path = tmp_path / "unbalanced_train_segments.csv"
    with path.open("w") as file:
        file.write(HEADER.format(n))
        file.writelines(
            f'{y.decode()}, {s}0.000, {s + 1}0.000, "{sets[k]}"\n'
            for y, s, k in zip(ytid, rng.integers(0, 60, n), rng.integers(0, len(sets), n))
        )
    classes = ClassLabels(tuple(ids), tuple(ids))
    began = time.process_time()
    segments = load_segments(path, classes, tmp_path)
    parsed = time.process_time()
    again = load_segments(path, classes, tmp_path)
    cached = time.process_time()
    assert same(segments, again)
    assert parsed - began < 20  # 3.5 s where it was measured
    assert cached - parsed < 5  # 0.5 s
    arrays = (segments.ytid, segments.start, segments.end, segments.code)
    assert sum(array.nbytes for array in arrays) == (11 + 8 + 8 + 4) * n
