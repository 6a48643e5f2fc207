"""One process of the SQLite test.

write PATH NAME COUNT   COUNT transactions of a row each; reads meanwhile, and sees what it must
commit PATH NAME LOG    transactions without end; each row's number is in LOG once it is committed
"""
import os
import sqlite3
import sys


def connect(path):
    db = sqlite3.connect(path, timeout=60, isolation_level=None)
    assert db.execute('PRAGMA journal_mode').fetchone() == ('wal',)
    db.execute('PRAGMA wal_autocheckpoint=50')  # checkpoints often: they write the database
    return db


def write(path, name, count):
    db = connect(path)
    seen = 0
    for i in range(int(count)):
        db.execute('BEGIN IMMEDIATE')
        before = db.execute('SELECT value FROM counter').fetchone()[0]
        db.execute('INSERT INTO rows VALUES (?, ?, ?)', (name, i, 'x' * (i * 37 % 900)))
        db.execute('UPDATE counter SET value = ?', (before + 1,))
        db.execute('COMMIT')
        # No row is deleted, so the last one's number is their count. All of them are read now and then:
        # each time would take a time that grows with the square of their count.
        rows = 'SELECT count(*) FROM rows' if i % 50 == 49 else 'SELECT max(rowid) FROM rows'
        rows, value = db.execute(f'SELECT ({rows}), (SELECT value FROM counter)').fetchone()
        if rows != value or rows <= before or rows < seen:
            sys.exit(f'{name}: {rows} rows, the counter is {value}, was {before}; {seen} seen')
        seen = rows


def commit(path, name, log):
    db = connect(path)
    with open(log, 'ab', buffering=0) as done:
        i = db.execute('SELECT coalesce(max(number), -1) FROM rows WHERE writer = ?',
                       (name,)).fetchone()[0]
        while True:
            i += 1
            db.execute('BEGIN IMMEDIATE')
            db.execute('INSERT INTO rows VALUES (?, ?, ?)', (name, i, 'k' * 200))
            db.execute('UPDATE counter SET value = value + 1')
            db.execute('COMMIT')
            done.write(b'%d\n' % i)


{'write': write, 'commit': commit}[sys.argv[1]](*sys.argv[2:])
