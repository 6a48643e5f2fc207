"""LMDB's share of the cost test: COUNT puts in transactions of 20, and reads between them.

The second argument has words: writemap; nosync, so that commits don't wait for the disk.
"""
import random
import sys

import lmdb

count, how = int(sys.argv[1]), sys.argv[2]
env = lmdb.open('env', map_size=64 << 20, writemap='writemap' in how, sync='nosync' not in how)
dice = random.Random(1)
for start in range(0, count, 20):
    with env.begin(write=True) as txn:
        for _ in range(20):
            txn.put(b'%08d' % dice.randrange(count * 10), b'v' * dice.randrange(300))
    with env.begin() as txn:
        cursor = txn.cursor()
        cursor.set_range(b'%08d' % dice.randrange(count * 10))
        for _ in zip(range(50), cursor):
            pass
env.sync(True)
with env.begin() as txn:
    print(txn.stat()['entries'], sum(len(v) for _, v in txn.cursor()))
