"""Proves that tables are read as spreadsheets and programs write them, by the names of their
columns, and that what is no number, or damaged, is named in a sentence."""

import builtins
import warnings
from contextlib import nullcontext

import numpy as np
import pytest

from autoencoder.datasets import load, load_table
from autoencoder.datasets.tables import read_table


def csv(path, text, encoding="utf-8"):
    path.write_bytes(text.encode(encoding))
    return path


def rows(data):
    return data.images[:, 0, :, 0]


PLAIN = "a,b\n1,2.5\n-3,4e2\n"
EXPECTED = [[1, 2.5], [-3, 400]]


# ---------------------------------------------------------------------- what is read
@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        (PLAIN, "utf-8"),
        (PLAIN, "utf-8-sig"),  # with a byte order mark
        (PLAIN, "utf-16"),
        (PLAIN.replace("\n", "\r\n"), "utf-8"),
        (PLAIN.replace(",", "\t"), "utf-8"),
        (PLAIN.replace(",", "|"), "utf-8"),
        (PLAIN.replace(",", ";"), "utf-8"),
        ("a;b\n1;2,5\n-3;400,0\n", "utf-8"),  # as spreadsheets write in much of Europe
        ('"a","b"\n"1","2.5"\n"-3","400"\n', "utf-8"),
        ("a,b\n\n1,2.5\n-3,400\n\n", "utf-8"),  # with empty lines
        (" a , b \n 1 , 2.5 \n -3 , 400 \n", "utf-8"),
    ],
    ids=range(11),
)
def test_csv_of_many_hands(tmp_path, text, encoding):
    data = load_table(csv(tmp_path / "t.csv", text, encoding))
    assert data.columns == ("a", "b") and data.images.shape == (2, 1, 2, 1)
    assert data.images.dtype == np.float32
    np.testing.assert_array_equal(rows(data), EXPECTED)


def test_names_of_any_kind_are_kept_and_missing_ones_made(tmp_path):
    names = ["Größe, in cm", 'he said "x"', "温度", "🙂", "semi;colon"]
    quoted = ",".join('"' + name.replace('"', '""') + '"' for name in names)
    data = load_table(csv(tmp_path / "ü b.csv", f"{quoted}\n1,2,3,4,5\n", "utf-8-sig"))
    assert list(data.columns) == names and data.name == "ü b"
    data = load_table(csv(tmp_path / "t.csv", "a,\n3,4\n"))
    assert data.columns == ("a", "column 2")


def test_missing_numbers_and_truths(tmp_path):
    text = "a,b,c\n,NA,true\nnan,null,False\n?,None,TRUE\n n/a ,-1,0\n"
    found = rows(load_table(csv(tmp_path / "t.csv", text)))
    nan = np.nan
    expected = [[nan, nan, 1], [nan, nan, 0], [nan, nan, 1], [nan, -1, 0]]
    np.testing.assert_array_equal(found, np.float32(expected))


def test_a_label_is_named_and_its_classes_numbered(tmp_path):
    path = csv(tmp_path / "t.csv", "a,kind,b\n1,dog,2\n3,cat,4\n5,dog,6\n")
    data = load_table(path, label="kind")
    assert data.labels.tolist() == [1, 0, 1] and data.columns == ("a", "b")
    np.testing.assert_array_equal(rows(data), [[1, 2], [3, 4], [5, 6]])
    assert load(path, label="kind").columns == ("a", "b")
    assert load_table(path, columns=["b", "a"], label="kind").labels.tolist() == [1, 0, 1]
    with pytest.warns(UserWarning, match="the model does not read 'kind'"):
        data = load_table(path, columns=["b"], label="a")
    np.testing.assert_array_equal(rows(data), [[2], [4], [6]])
    assert load_table(csv(path, "a,b\n1,2\n"), label="gone", columns=["a", "b"]).labels == [0]


def test_many_lines_are_read_in_blocks(tmp_path):
    X = np.random.default_rng(0).normal(size=(9000, 3)).astype(np.float32)
    lines = [",".join(f"{x:.9g}" for x in row) for row in X.tolist()]
    found, _, _ = read_table(csv(tmp_path / "t.csv", "\n".join(["a,b,c", *lines])))
    np.testing.assert_array_equal(found, X)
    lines[8000] = "1,2,x"
    with pytest.raises(ValueError, match=r"no numbers, 'c' \(such as 'x'\)"):
        read_table(csv(tmp_path / "t.csv", "\n".join(["a,b,c", *lines])))


@pytest.mark.parametrize("change", ["none", "some rows", "another order", "other numbers"])
def test_an_index_without_a_name_is_left_out_and_said(tmp_path, change):
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame({"a": np.arange(5000) % 7 + 0.5, "b": np.arange(5000)})
    if change == "some rows":
        frame = frame[frame.a > 1]
    elif change == "another order":
        frame = frame.sample(frac=1, random_state=0)
    elif change == "other numbers":
        frame.index = frame.index * -3
    frame.to_csv(tmp_path / "t.csv")
    with pytest.warns(UserWarning, match="first column has no name and another whole number in"):
        data = load_table(tmp_path / "t.csv")
    assert data.columns == ("a", "b")
    np.testing.assert_array_equal(rows(data), frame.to_numpy())


@pytest.mark.parametrize("first", [[*range(4999), 0], [0.5, *range(4999)]])
def test_a_column_without_a_name_that_is_no_index_is_read(tmp_path, first):
    text = "\n".join([",a", *(f"{k},7" for k in first)])
    data = load_table(csv(tmp_path / "t.csv", text))
    assert data.columns == ("column 1", "a")
    np.testing.assert_array_equal(rows(data)[:, 0], np.float32(first))


# ---------------------------------------------------------------------- names that are numbers
@pytest.mark.parametrize("index", [True, False])
def test_columns_that_pandas_numbers_are_names(tmp_path, index):
    pandas = pytest.importorskip("pandas")
    X = np.random.default_rng(0).random((5, 3), dtype=np.float32)
    pandas.DataFrame(X).to_csv(tmp_path / "t.csv", index=index)
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        data = load_table(tmp_path / "t.csv")
    assert len(said) == index and data.columns == ("0", "1", "2")
    np.testing.assert_array_equal(rows(data), X)


@pytest.mark.parametrize(
    ("first", "names", "said"),
    [
        ("1,2,3", "123", None),
        ("0;1;2", "012", None),
        ("nan,none,null", ["nan", "none", "null"], None),
        (",2019,2020", ["column 1", "2019", "2020"], None),
        (",0.5,1.5", ["column 1", "0.5", "1.5"], "the names of the columns"),
        ("2019,2020,2021", None, "a row of data"),
        ("0,1,3", None, "a row of data"),
        ("0.0,1.0,2.0", None, "a row of data"),
        ("1,5;2;3", None, "a row of data"),
        ("true,nan,1", None, "a row of data"),
    ],
)
def test_a_first_line_of_numbers(tmp_path, first, names, said):
    separator = ";" if ";" in first else ","
    text = "\n".join([first, *[separator.join("578"), separator.join("578")]])
    path = csv(tmp_path / "t.csv", text)
    caught = pytest.warns(UserWarning, match=f"only numbers and is taken as {said}: put a line of")
    with caught if said else nullcontext():
        data = load_table(path)
    assert len(data.images) == 2 + (names is None)
    assert data.columns == tuple(names or ("column 1", "column 2", "column 3"))


def test_two_numbers_in_the_first_line_are_never_taken_in_silence(tmp_path):
    with pytest.warns(UserWarning, match="first line, '1', '2', .* as the names of the columns"):
        data = load_table(csv(tmp_path / "t.csv", "1,2\n3,4\n"))
    assert data.columns == ("1", "2") and len(data.images) == 1
    data = load_table(csv(tmp_path / "t.csv", "2019,2020\n3,4\n"), columns=["2020", "2019"])
    np.testing.assert_array_equal(rows(data), [[4, 3]])
    data = load_table(csv(tmp_path / "t.csv", "0,1\n3,4\n"), columns=["column 1", "column 2"])
    np.testing.assert_array_equal(rows(data), [[0, 1], [3, 4]])


# ---------------------------------------------------------------------- decimal commas
@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        (["1,234.5", "2"], [1234.5, 2]),
        (["1.234,5", "1.234"], [1234.5, 1234]),
        (["1.234", "1.234,5"], [1234, 1234.5]),
        (["1.234.567", "2,5e3", "-7"], [1234567, 2500, -7]),
        (["1,234,567", "1,234"], [1234567, 1234]),
        (["0,234", "1,234"], [0.234, 1.234]),
        (["0.234", "1.234", "nan", "true"], [0.234, 1.234, np.nan, 1]),
        (["1.234", "5.678"], [1.234, 5.678]),  # no comma at all, as programs write
        ([*["1.234"] * 5000, "1,5"], [*[1234] * 5000, 1.5]),  # far below
    ],
    ids=range(9),
)
def test_semicolons_with_commas_and_points(tmp_path, fields, expected):
    text = "\n".join(["a;b", *(f"{text};1" for text in fields)])
    found = rows(load_table(csv(tmp_path / "t.csv", text)))
    np.testing.assert_array_equal(found[:, 0], np.float32(expected))


def test_another_column_says_what_a_comma_is(tmp_path):
    found = rows(load_table(csv(tmp_path / "t.csv", "a;b;c\n1,234;0,5;1.234\n")))
    np.testing.assert_array_equal(found, np.float32([[1.234, 0.5, 1234]]))
    found = rows(load_table(csv(tmp_path / "t.csv", "a;b\n1,234;0.5\n")))
    np.testing.assert_array_equal(found, [[1234, 0.5]])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a;b\n1,5;2\n2.5;3\n", "has '2.5' and '1,5' in the column 'a', one with a decimal point"),
        ("a;b\n1;1,234\n", "has '1,234' in the column 'b', which may be 1234 or 1.234, and"),
        ("a;b;c\n1,5;2.5;1.234\n", "has '1.234' in the column 'c', which may be 1.234 or 1234"),
        ("a;b\n1;1,2,3\n", r"no numbers, 'b' \(such as '1,2,3'\)"),
        ("a;b\n1;12.34,5\n", r"no numbers, 'b' \(such as '12.34,5'\)"),
        ("a;b\n1;01.02.2020\n", r"no numbers, 'b' \(such as '01.02.2020'\)"),
    ],
    ids=range(6),
)
def test_commas_that_may_be_read_in_two_ways_are_refused(tmp_path, text, message):
    with pytest.raises(ValueError, match=message):
        load_table(csv(tmp_path / "t.csv", text))


# ---------------------------------------------------------------------- rounding
def test_numbers_that_float32_merges_are_named(tmp_path):
    text = "a,time\n1,1700000000\n2,1700000060\n" + "3,1700000060\n" * 5000
    expected = "1700000000.0 and 1700000060.0 in the column 'time' are the same: subtract"
    with pytest.warns(UserWarning, match=expected) as said:
        load_table(csv(tmp_path / "t.csv", text))
    assert len(said) == 1
    X = np.random.default_rng(0).normal(size=(5000, 2))  # of 16 digits, and nothing to be said
    load_table(csv(tmp_path / "t.csv", "a,b\n" + "\n".join(f"{x!r},{y!r}" for x, y in X.tolist())))


# ---------------------------------------------------------------------- what is refused
@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a,b,c\n1,red,x\n2,blue,y\n", r"no numbers, 'b', 'c' \(such as 'red'\): .*--label"),
        ("a,b\n1,2\n3\n", "has 1 fields in row 2, and 2 names in its first line"),
        ("a,b\n1,2,3\n", "has 3 fields in row 1"),
        ("a,a\n1,2\n", "has several columns 'a'"),
        ("a,b\n", "has no rows"),
        ("", "has no columns to read|has no rows"),
        ("\n\n", "has no columns to read|has no rows"),
        ("a,b\n1,inf\n", "has inf in the column 'b'"),
        ("a,b\n1,1e60\n", r"has 1e\+60 in the column 'b'"),
        ("a\0b,c\n1,2\n", "is no text"),
        ('a,b\n1,"2\n', "cannot be read as CSV: unexpected end of data"),
        ("a,b\n1,2020-01-01\n", r"no numbers, 'b' \(such as '2020-01-01'\)"),
        (f"a,b\n1,{'9' * 200_000}\n", "cannot be read as CSV: field larger"),
    ],
    ids=range(13),
)
def test_what_is_no_table_of_numbers_is_a_sentence(tmp_path, text, message):
    with pytest.raises(ValueError, match=message) as caught:
        load_table(csv(tmp_path / "t.csv", text))
    assert str(tmp_path / "t.csv") in str(caught.value) and "\n" not in str(caught.value)


def test_other_errors_of_files(tmp_path):
    with pytest.raises(ValueError, match=r"is not text in UTF-8 .* save it as CSV UTF-8"):
        load_table(csv(tmp_path / "t.csv", "Größe,b\n1,2\n", "latin-1"))
    with pytest.raises(FileNotFoundError, match="There is no file"):
        load_table(tmp_path / "gone.csv")
    path = csv(tmp_path / "t.csv", "a,kind\n1,\n2,x\n")
    with pytest.raises(ValueError, match="has no label in row 1"):
        load_table(path, label="kind")
    with pytest.raises(ValueError, match="has no column 'sort': it has 'a', 'kind'"):
        load_table(path, label="sort")
    with pytest.raises(ValueError, match="has no 'b', and the model reads these columns: 'a', 'b'"):
        load_table(path, columns=["a", "b"])
    with pytest.raises(ValueError, match="is a table, and a size is for images"):
        load(path, size=3)
    (tmp_path / "x.csv").mkdir()
    with pytest.raises(ValueError, match="is no ordinary file"):
        load_table(tmp_path / "x.csv")


# ---------------------------------------------------------------------- Parquet
def test_parquet_is_read_by_the_kinds_of_its_columns(tmp_path):
    pyarrow = pytest.importorskip("pyarrow", reason="the extra tables is not installed")
    from pyarrow import parquet

    path = tmp_path / "t.parquet"
    table = {
        "a": [1, None, 3],
        "b": [0.5, np.nan, 2],
        "c": [True, False, None],
        "kind": list("xyx"),
    }
    parquet.write_table(pyarrow.table(table), path)
    data = load_table(path, label="kind")
    assert data.columns == ("a", "b", "c") and data.labels.tolist() == [0, 1, 0]
    nan = np.nan
    expected = np.float32([[1, 0.5, 1], [nan, nan, 0], [3, 2, nan]])
    np.testing.assert_array_equal(rows(data), expected)
    with pytest.raises(ValueError, match=r"no numbers, 'kind' \(such as 'x'\)"):
        load_table(path)
    whole = path.read_bytes()
    for damaged in (b"", b"junk", whole[:40], whole[: len(whole) // 2] + whole[-100:]):
        path.write_bytes(damaged)
        with pytest.raises(ValueError, match="cannot be read as Parquet: ") as caught:
            load_table(path)
        assert "\n" not in str(caught.value)


def test_whole_numbers_that_parquet_cannot_turn_into_floats_are_named(tmp_path):
    pyarrow = pytest.importorskip("pyarrow", reason="the extra tables is not installed")
    from pyarrow import parquet

    big = {"a": np.int64([2**53 + 1, 5]), "b": np.uint64([2**64 - 1, 3]), "c": np.int64([7, 9])}
    parquet.write_table(pyarrow.table(big), tmp_path / "t.parquet")
    with pytest.warns(
        UserWarning, match=r"t\.parquet has whole numbers beyond 2\*\*53 in 'a', 'b'"
    ):
        data = load_table(tmp_path / "t.parquet")
    np.testing.assert_array_equal(rows(data), np.float32([[2**53, 2**64, 7], [5, 3, 9]])[:, :3])


def test_parquet_without_pyarrow_is_a_sentence(tmp_path, monkeypatch):
    (tmp_path / "t.parquet").write_bytes(b"PAR1")
    found = builtins.__import__

    def missing(name, *more):
        if name.startswith("pyarrow"):
            raise ImportError(name)
        return found(name, *more)

    monkeypatch.setattr(builtins, "__import__", missing)
    with pytest.raises(ValueError, match=r"pip install 'minigrad-autoencoder\[tables\]', or save"):
        load_table(tmp_path / "t.parquet")
