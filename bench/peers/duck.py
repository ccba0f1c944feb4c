"""What the peers on DuckDB share: a connection, and lists of columns as SQL."""

import duckdb


def connect(job):
    connection = duckdb.connect()
    connection.execute(f"SET threads = {int(job['threads'])}")
    connection.execute("SET preserve_insertion_order = false")
    return connection


def attach(connection, job, read_only):
    connection.execute(f"ATTACH {text(job['snapshot'])} AS snapshot {'(READ_ONLY)' if read_only else ''}")


def text(value):
    return "'" + value.replace("'", "''") + "'"


def name(column):
    return '"' + column.replace('"', '""') + '"'


def parquet(path):
    return f"read_parquet({text(path)})"


def columns(connection, relation):
    return [row[0] for row in connection.execute(f"DESCRIBE SELECT * FROM {relation}").fetchall()]


def same_id(job):
    """The join's condition between `base` and `later`."""
    return " AND ".join(f"base.{name(column)} = later.{name(column)}" for column in job["id"])


def absent(job, side):
    """True for what a full join did not find on that side: identifiers are never null."""
    return f"{side}.{name(job['id'][0])} IS NULL"


def write(connection, job, which, query):
    connection.execute(f"COPY ({query}) TO {text(job['out'] + '/' + which + '.parquet')} (FORMAT parquet)")
