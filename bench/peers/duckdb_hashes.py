"""DuckDB handed Outflow's design: its snapshot holds the identifier and 128 bits of hash, the new side is hashed as it is read.

Tried on a million records and no faster: the hashes as part of the join's condition, with a second join to tell added from updated; the
snapshot as Parquet, compressed or not. Of a deleted record it writes the identifier alone: that is all its snapshot has.
"""

import duck
from job import begin, job, verb


def hashes(columns):
    """Two of 64 bits, the second seeded by a constant before the columns."""
    over = ", ".join(duck.name(column) for column in columns)
    return f"hash({over}) AS hash_1, hash(1, {over}) AS hash_2"


def prepare(job):
    connection = duck.connect(job)
    duck.attach(connection, job, read_only=False)
    base = duck.parquet(job["base"])
    ids = ", ".join(duck.name(column) for column in job["id"])
    connection.execute(f"CREATE TABLE snapshot.base AS SELECT {ids}, {hashes(duck.columns(connection, base))} FROM {base}")


def run(job):
    connection = duck.connect(job)
    begin()
    duck.attach(connection, job, read_only=True)
    later = duck.parquet(job["later"])
    columns = duck.columns(connection, later)
    known = [f"known {column}" for column in job["id"]]
    ids = ", ".join(f"base.{duck.name(column)} AS {duck.name(alias)}" for column, alias in zip(job["id"], known))
    values = ", ".join(f"later.{duck.name(column)}" for column in columns)
    connection.execute(
        f"CREATE TEMP TABLE found AS SELECT {values}, {ids} FROM snapshot.base AS base"
        f" FULL JOIN (SELECT *, {hashes(columns)} FROM {later}) AS later ON {duck.same_id(job)}"
        f" WHERE {duck.absent(job, 'base')} OR {duck.absent(job, 'later')}"
        " OR base.hash_1 <> later.hash_1 OR base.hash_2 <> later.hash_2"
    )
    in_base, in_later = f"{duck.name(known[0])} IS NOT NULL", f"{duck.name(job['id'][0])} IS NOT NULL"
    values = ", ".join(duck.name(column) for column in columns)
    gone = ", ".join(f"{duck.name(alias)} AS {duck.name(column)}" for column, alias in zip(job["id"], known))
    duck.write(connection, job, "added", f"SELECT {values} FROM found WHERE NOT ({in_base})")
    duck.write(connection, job, "updated", f"SELECT {values} FROM found WHERE {in_base} AND {in_later}")
    duck.write(connection, job, "deleted", f"SELECT {gone} FROM found WHERE NOT ({in_later})")


if __name__ == "__main__":
    {"prepare": prepare, "run": run}[verb()](job())
