"""The schema as data, once from the models and once from a migrated database, and as Mermaid and Markdown."""

from __future__ import annotations

import re
from typing import Any

import msgspec
from sqlalchemy import Column, Connection, Index, Table, create_engine, text
from sqlalchemy.dialects import postgresql

from app.domain import metadata
from app.domain.messages.models import PARTITIONS

DIALECT: Any = postgresql.dialect()  # type: ignore[no-untyped-call,unused-ignore]
SHORT = {"timestamp with time zone": "timestamptz", "character varying": "varchar"}
RELATED = {
    ("messages", "conversation_id"): "conversations",
    ("messages", "sender_id"): "users",
    ("messages", "changed_by"): "users",
}
"""Columns that mean a row elsewhere without a foreign key: `messages` has none, so that it can be spread out."""


class ColumnFacts(msgspec.Struct, frozen=True):
    name: str
    type: str
    nullable: bool


class IndexFacts(msgspec.Struct, frozen=True):
    """`columns` are names or expressions; `where` is whether it is partial."""

    name: str
    columns: tuple[str, ...]
    unique: bool
    partial: bool


class TableFacts(msgspec.Struct, frozen=True):
    name: str
    columns: tuple[ColumnFacts, ...]
    primary_key: tuple[str, ...]
    foreign_keys: frozenset[tuple[str, str]]
    indexes: tuple[IndexFacts, ...]
    checks: frozenset[str]
    partition_by: str


def from_models() -> dict[str, TableFacts]:
    return {table.name: _of_model(table) for table in metadata.metadata.sorted_tables}


def _of_model(table: Table) -> TableFacts:
    partition = str(table.dialect_options["postgresql"]["partition_by"] or "")
    return TableFacts(
        name=table.name,
        columns=tuple(sorted((_of_column(one) for one in table.columns), key=lambda one: one.name)),
        primary_key=tuple(column.name for column in table.primary_key.columns),
        foreign_keys=frozenset((key.parent.name, key.column.table.name) for key in table.foreign_keys),
        indexes=tuple(sorted((_of_index(one) for one in table.indexes), key=lambda one: one.name)),
        checks=frozenset(
            str(one.name) for one in table.constraints if type(one).__name__ == "CheckConstraint" and one.name
        ),
        partition_by=partition,
    )


def _of_column(column: Column[Any]) -> ColumnFacts:
    return ColumnFacts(column.name, short(column.type.compile(DIALECT)), bool(column.nullable))


def _of_index(index: Index) -> IndexFacts:
    expressions = _expressions(index)
    columns = tuple(expression.rpartition(".")[2] if "(" not in expression else "(…)" for expression in expressions)
    where = index.dialect_options["postgresql"]["where"]
    return IndexFacts(str(index.name), columns, bool(index.unique), where is not None)


def _expressions(index: Index) -> list[str]:
    return [one if isinstance(one, str) else str(one.compile(dialect=DIALECT)) for one in index.expressions]


def short(kind: str) -> str:
    """A type as people write it in Postgres."""
    kind = kind.lower()
    for long, brief in SHORT.items():
        kind = kind.replace(long, brief)
    return kind


def from_database(url: str) -> dict[str, TableFacts]:
    """What a database has; partitions are left out, `alembic_version` too."""
    engine = create_engine(url.replace("postgresql:", "postgresql+psycopg:", 1))
    try:
        with engine.connect() as connection:
            names = connection.scalars(
                text(
                    "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace"
                    " AND relkind IN ('r', 'p') AND NOT relispartition AND relname <> 'alembic_version'"
                )
            ).all()
            return {name: _of_database(connection, name) for name in names}
    finally:
        engine.dispose()


def _of_database(connection: Connection, name: str) -> TableFacts:
    def ask(query: str) -> Any:
        return connection.execute(text(query), {"name": name}).all()

    columns = ask(
        "SELECT attname, format_type(atttypid, atttypmod), NOT attnotnull FROM pg_attribute"
        " WHERE attrelid = to_regclass(:name) AND attnum > 0 AND NOT attisdropped"
    )
    keys = ask(
        "SELECT a.attname FROM pg_index i, unnest(i.indkey) WITH ORDINALITY k(n, at), pg_attribute a"
        " WHERE i.indrelid = to_regclass(:name) AND i.indisprimary AND a.attrelid = i.indrelid AND a.attnum = k.n"
        " ORDER BY k.at"
    )
    foreign = ask(
        "SELECT a.attname, c.confrelid::regclass::text FROM pg_constraint c, pg_attribute a"
        " WHERE c.conrelid = to_regclass(:name) AND c.contype = 'f' AND a.attrelid = c.conrelid"
        " AND a.attnum = ANY (c.conkey)"
    )
    indexes = ask(
        "SELECT i.indexrelid::regclass::text, i.indisunique, i.indpred IS NOT NULL,"
        " array_agg(coalesce(a.attname::text, '(…)') ORDER BY k.at)"
        " FROM pg_index i, unnest(i.indkey) WITH ORDINALITY k(n, at)"
        " LEFT JOIN pg_attribute a ON a.attrelid = to_regclass(:name) AND a.attnum = k.n"
        " WHERE i.indrelid = to_regclass(:name) AND NOT i.indisprimary GROUP BY 1, 2, 3"
    )
    checks = ask("SELECT conname FROM pg_constraint WHERE conrelid = to_regclass(:name) AND contype = 'c'")
    partition = ask("SELECT pg_get_partkeydef(to_regclass(:name))")[0][0]
    return TableFacts(
        name=name,
        columns=tuple(
            sorted((ColumnFacts(one, short(kind), null) for one, kind, null in columns), key=lambda c: c.name)
        ),
        primary_key=tuple(one for (one,) in keys),
        foreign_keys=frozenset((one, other) for one, other in foreign),
        indexes=tuple(
            sorted(
                (IndexFacts(one, tuple(parts), unique, partial) for one, unique, partial, parts in indexes),
                key=lambda i: i.name,
            )
        ),
        checks=frozenset(one for (one,) in checks),
        partition_by=partition or "",
    )


def diagram() -> str:
    """The entity diagram, as Mermaid in a fence."""
    lines = ["erDiagram"]
    for table in metadata.metadata.sorted_tables:
        lines.append(f"    {table.name} {{")
        foreign = {key.parent.name for key in table.foreign_keys}
        for column in _key_first(table):
            marks = [mark for mark, is_one in (("PK", column.primary_key), ("FK", column.name in foreign)) if is_one]
            lines.append(f"        {_of_column(column).type} {column.name} {', '.join(marks)}".rstrip())
        lines.append("    }")
    for table in metadata.metadata.sorted_tables:
        keys = sorted(table.foreign_keys, key=lambda one: one.parent.name)
        lines += [f"    {key.column.table.name} ||--o{{ {table.name} : {key.parent.name}" for key in keys]
    for (table_name, column_name), other in RELATED.items():
        lines.append(f"    {other} ||..o{{ {table_name} : {column_name}")
    return "```mermaid\n" + "\n".join(lines) + "\n```"


def listing(name: str) -> str:
    """One table's columns and indexes, as Markdown."""
    table = metadata.metadata.tables[name]
    foreign = {key.parent.name: key.column.table.name for key in table.foreign_keys}
    lines = ["| column | type | null | default | refers to |", "|---|---|---|---|---|"]
    for column in _key_first(table):
        default = f"`{_sql(column.server_default)}`" if column.server_default is not None else ""
        null = "yes" if column.nullable else ""
        lines.append(
            f"| `{column.name}` | {_of_column(column).type} | {null} | {default} | {foreign.get(column.name, '')} |"
        )
    lines += ["", f"- primary key `{', '.join(column.name for column in table.primary_key.columns)}`"]
    for index in sorted(table.indexes, key=lambda one: str(one.name)):
        lines.append(f"- {_told(index)}")
    for check in sorted(_checks(table)):
        lines.append(f"- check {check}")
    options = table.dialect_options["postgresql"]
    if options["partition_by"]:
        lines.append(f"- partitioned by `{options['partition_by']}`, {PARTITIONS} partitions")
    if options["with"]:
        lines.append("- storage " + ", ".join(f"`{key}={value}`" for key, value in options["with"].items()))
    return "\n".join(lines)


def _key_first(table: Table) -> list[Column[Any]]:
    return sorted(table.columns, key=lambda column: not column.primary_key)


def _checks(table: Table) -> list[str]:
    return [
        f"`{one.name}`: `{one.sqltext}`"  # type: ignore[attr-defined]
        for one in table.constraints
        if type(one).__name__ == "CheckConstraint"
    ]


def _told(index: Index) -> str:
    options = index.dialect_options["postgresql"]
    columns = ", ".join(re.sub(r"^\w+\.", "", one) for one in _expressions(index))
    kind = "unique" if index.unique else "index"
    using = f" using {options['using']}" if options["using"] else ""
    where = f" where `{options['where']}`" if options["where"] is not None else ""
    return f"{kind} `{index.name}`{using} on `{columns}`{where}"


def _sql(default: Any) -> str:
    argument = default.arg
    return str(argument.compile(dialect=DIALECT)) if hasattr(argument, "compile") else (argument or "''")
