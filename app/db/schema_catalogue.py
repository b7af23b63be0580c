"""Describes the tables of a schema by Postgres's catalogues, so that two schemas can be compared."""

from __future__ import annotations

from typing import Final

from sqlalchemy import Connection, text

Objects = dict[str, str]
"""By name, such as `column users.email` or `index ix_users_untold of users`: the definition."""

_OBJECTS: Final = text("""
    WITH relation AS (
        SELECT c.oid, c.relname AS name, c.relkind, c.reloptions, c.relpartbound
        FROM pg_class c WHERE c.relnamespace = to_regnamespace(:schema) AND c.relkind IN ('r', 'p')
    )
    SELECT 'table ' || name, concat_ws(' ', relkind, reloptions, pg_get_partkeydef(oid), pg_get_expr(relpartbound, oid))
    FROM relation
    UNION ALL
    SELECT format('column %s.%s', name, a.attname),
        concat_ws(' ', format_type(a.atttypid, a.atttypmod), CASE WHEN a.attnotnull THEN 'NOT NULL' END,
                  pg_get_expr(d.adbin, d.adrelid))
    FROM relation r JOIN pg_attribute a ON a.attrelid = r.oid AND a.attnum > 0 AND NOT a.attisdropped
    LEFT JOIN pg_attrdef d ON d.adrelid = r.oid AND d.adnum = a.attnum
    UNION ALL
    -- Without NOT NULL, which is a constraint of its own since Postgres 18: the columns have it.
    SELECT format('constraint %s of %s', k.conname, name), pg_get_constraintdef(k.oid)
    FROM relation r JOIN pg_constraint k ON k.conrelid = r.oid AND k.contype <> 'n'
    UNION ALL
    SELECT format('index %s of %s', i.relname, name), concat_ws(' ', pg_get_indexdef(i.oid), x.indisvalid)
    FROM relation r JOIN pg_index x ON x.indrelid = r.oid JOIN pg_class i ON i.oid = x.indexrelid
    UNION ALL
    SELECT format('trigger %s of %s', t.tgname, name), concat_ws(' ', pg_get_triggerdef(t.oid), t.tgenabled)
    FROM relation r JOIN pg_trigger t ON t.tgrelid = r.oid AND NOT t.tgisinternal
    UNION ALL
    SELECT format('function %s(%s)', p.proname, pg_get_function_identity_arguments(p.oid)),
        concat_ws(' ', pg_get_function_result(p.oid), p.proconfig, p.prosrc)
    FROM pg_proc p WHERE p.pronamespace = to_regnamespace(:schema)
""")


def objects(connection: Connection, schema: str) -> Objects:
    """Returns all tables, columns, constraints, indexes, triggers and functions of `schema`. Their definitions do not
    name it: it must come first in the search path."""
    prefix = f"{schema}."
    return {
        name: definition.replace(prefix, "") for name, definition in connection.execute(_OBJECTS, {"schema": schema})
    }


def differences(actual: Objects, expected: Objects) -> list[str]:
    """Returns what `actual` lacks, has besides, or defines otherwise. Tables and functions of other software may stand
    beside those expected; on an expected table, everything must be expected."""
    tables = {name.removeprefix("table ") for name in expected if name.startswith("table ")}
    found = [f"there is no {name}" for name in expected if name not in actual]
    found += [f"the {name} differs" for name in expected if name in actual and actual[name] != expected[name]]
    found += [f"the {name} is not expected" for name in actual if name not in expected and _table_of(name) in tables]
    return sorted(found)


def _table_of(name: str) -> str | None:
    kind, _, rest = name.partition(" ")
    if kind == "column":
        return rest.partition(".")[0]
    return rest.rpartition(" of ")[2] if kind in ("constraint", "index", "trigger") else None
