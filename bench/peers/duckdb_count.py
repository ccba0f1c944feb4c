"""DuckDB counting the three sets over all columns, as `outflow plan` does: nothing is written."""

import json

import duck
from duckdb_columns import joined, prepare
from job import begin, job, verb


def run(job):
    connection = duck.connect(job)
    begin()
    duck.attach(connection, job, read_only=True)
    _, join, changed = joined(connection, job)
    added, deleted = duck.absent(job, "base"), duck.absent(job, "later")
    counts = connection.execute(
        f"SELECT count(*) FILTER (WHERE {added}), count(*) FILTER (WHERE NOT ({added}) AND NOT ({deleted})),"
        f" count(*) FILTER (WHERE {deleted}) FROM {join} WHERE {changed}"
    ).fetchone()
    print(json.dumps(dict(zip(("added", "updated", "deleted"), counts))))


if __name__ == "__main__":
    {"prepare": prepare, "run": run}[verb()](job())
