"""A DataFrame comes back as data with typed columns, as a preview that always fits."""

import json

import matplotlib.pyplot  # noqa: F401 - loaded before the fork, as in the zygote
import pandas  # noqa: F401
import pytest
from child_runs import run_python

HEAD = "import pandas as pd, numpy as np, datetime, decimal\n"


def table_of(expression: str, **changes):
    return run_python(f"{HEAD}{expression}", **changes).main["table"]


def test_columns_have_types_and_missing_values_are_null():
    table = table_of(
        "pd.DataFrame({'s': ['a', None], 'n': [1.5, np.nan], 'i': [1, 2], 'b': [True, False],"
        " 't': pd.to_datetime(['2026-01-02', None]), 'I': pd.array([1, None], dtype='Int64')})"
    )

    assert table == {
        "columns": [
            {"name": "s", "type": "string"},
            {"name": "n", "type": "number"},
            {"name": "i", "type": "integer"},
            {"name": "b", "type": "boolean"},
            {"name": "t", "type": "datetime"},
            {"name": "I", "type": "integer"},
        ],
        "rows": [["a", 1.5, 1, True, "2026-01-02T00:00:00", 1], [None, None, 2, False, None, None]],
        "rowCount": 2,
        "truncated": False,
    }


@pytest.mark.parametrize(
    ("series", "kind", "cells"),
    [
        ("pd.Series([2**53 - 1, 1])", "integer", [2**53 - 1, 1]),
        ("pd.Series([2**53, 1])", "string", ["9007199254740992", "1"]),
        ("pd.Series([2**63, 1], dtype='uint64')", "string", ["9223372036854775808", "1"]),
        ("pd.Series([10**30, None], dtype=object)", "string", ["1" + "0" * 30, None]),
        ("pd.Series([np.inf, 1.0])", "number", [None, 1.0]),
        ("pd.Series([1, 2.5], dtype=object)", "number", [1.0, 2.5]),
        ("pd.Series([1, 'a'], dtype=object)", "json", [1, "a"]),
        ("pd.Series([[1], {'a': 2}])", "json", [[1], {"a": 2}]),
        ("pd.Series([datetime.date(2026, 1, 2)])", "datetime", ["2026-01-02"]),
        ("pd.Series([decimal.Decimal('1.10')])", "string", ["1.10"]),
        ("pd.Series(pd.Categorical(['x', 'y']))", "string", ["x", "y"]),
        ("pd.Series(pd.to_timedelta(['1h']))", "string", ["0 days 01:00:00"]),
        ("pd.Series(pd.to_datetime(['2026-01-02']).tz_localize('UTC'))", "datetime", ["2026-01-02T00:00:00+00:00"]),
        ("pd.Series([None, None], dtype=float)", "number", [None, None]),
        ("pd.Series([], dtype='int64')", "integer", []),
        ("pd.Series([1j])", "string", ["1j"]),
        ("pd.Series(['\\ud800'], dtype=object)", "string", ["\\ud800"]),
        ("pd.Series([np.float32(0.5), np.int8(1)], dtype=object)", "number", [0.5, 1.0]),
    ],
)
def test_a_series_is_a_table_of_one_column(series, kind, cells):
    table = table_of(series)

    assert table["columns"] == [{"name": "value", "type": kind}]
    assert [row[0] for row in table["rows"]] == cells


def test_an_index_that_says_something_is_a_column():
    table = table_of("pd.DataFrame({'a': [1]}, index=pd.Index(['x'], name='k'))")

    assert [column["name"] for column in table["columns"]] == ["k", "a"]
    assert table["rows"] == [["x", 1]]


def test_levels_of_a_multi_index_are_columns_and_tuples_become_one_name():
    table = table_of(
        "pd.DataFrame({('a', 'sum'): [1]}, index=pd.MultiIndex.from_tuples([('x', 2)], names=['k', None]))"
    )

    assert [column["name"] for column in table["columns"]] == ["k", "level_1", "a / sum"]
    assert table["rows"] == [["x", 2, 1]]


def test_columns_of_the_same_name_both_stay():
    table = table_of("pd.DataFrame([[1, 'x']], columns=['a', 'a'])")

    assert [column["type"] for column in table["columns"]] == ["integer", "string"]


def test_a_long_table_is_a_preview_that_says_so():
    table = table_of("pd.DataFrame({'a': range(100_000)})")

    assert len(table["rows"]) == 1000
    assert table["rowCount"] == 100_000
    assert table["truncated"]


@pytest.mark.parametrize(
    "frame",
    [
        "pd.DataFrame({'a': ['x' * 5000] * 900})",
        "pd.DataFrame({'a': ['é' * 500_000]})",
        "pd.DataFrame([[1] * 50_000])",
        "pd.DataFrame({'c' * 400_000: [1]})",
        "pd.DataFrame({f'column {i}': ['v' * 50] * 500 for i in range(200)})",
        "pd.DataFrame({'a': [list(range(100_000))]})",
    ],
)
@pytest.mark.parametrize("limit", [262_144, 20_000])
def test_any_frame_fits_the_result_limit(frame, limit):
    ran = run_python(f"{HEAD}{frame}", max_result_bytes=limit)

    assert ran.main["table"]["truncated"] or ran.main["table"]["rows"]
    assert len(json.dumps(ran.results, ensure_ascii=False, separators=(",", ":")).encode()) <= limit


def test_a_frame_has_text_and_html_beside_the_table_and_main_may_return_it():
    main = run_python(f"{HEAD}def main(v):\n    return pd.DataFrame({{'a': [1]}})").main

    assert set(main) == {"isMain", "text", "html", "table"}


def test_a_list_of_flat_dicts_stays_json():
    main = run_python("[{'a': 1}, {'a': 2}]").main

    assert main["json"] == [{"a": 1}, {"a": 2}]
    assert "table" not in main


def test_a_faked_pandas_breaks_nothing():
    assert run_python("import sys\nsys.modules['pandas'] = 5\n[1]").main["json"] == [1]
    assert run_python("import sys\nsys.modules['numpy'] = 5\nsys.modules['matplotlib.pyplot'] = 5\n[1]").main[
        "json"
    ] == [1]
