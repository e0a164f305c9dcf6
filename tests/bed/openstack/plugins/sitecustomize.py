"""Makes SQLite safe for concurrent writers, in every service that has this folder in PYTHONPATH.

oslo.db begins transactions deferred. Two that read and then write deadlock, and SQLite then answers
"database is locked" at once, whatever the timeout. Hence BEGIN IMMEDIATE. Placement opens a second
connection inside a transaction and would wait for itself: it runs with SQLITE_BEGIN=deferred and
one thread.
"""

import os
import sqlite3
import sqlite3.dbapi2

IMMEDIATE = os.environ.get("SQLITE_BEGIN") != "deferred"


class Cursor(sqlite3.Cursor):
    def execute(self, sql, *args):
        return super().execute(
            "BEGIN IMMEDIATE" if IMMEDIATE and sql.strip() == "BEGIN" else sql, *args
        )


class Connection(sqlite3.Connection):
    def cursor(self, factory=Cursor):
        return super().cursor(factory)


plain_connect = sqlite3.connect


def connect(*args, **kwargs):
    kwargs.setdefault("factory", Connection)
    kwargs["timeout"] = 60
    connection = plain_connect(*args, **kwargs)
    connection.execute("PRAGMA journal_mode=WAL").close()
    connection.execute("PRAGMA synchronous=OFF").close()
    return connection


sqlite3.connect = sqlite3.dbapi2.connect = connect
