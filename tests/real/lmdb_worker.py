"""One process of the LMDB test: transactions on one environment, with a model beside.

write PATH WRITEMAP NAME COUNT   random puts and deletes of keys of its own; its model in NAME.model
check PATH WRITEMAP NAME...      the environment holds exactly the models of NAME...
read PATH WRITEMAP STOP          snapshots are consistent, until the file STOP is there
"""
import json
import os
import random
import sys

import lmdb


def opened(path, writemap):
    return lmdb.open(path, map_size=16 << 20, writemap=writemap == 'writemap', max_readers=32)


def write(path, writemap, name, count):
    env = opened(path, writemap)
    dice = random.Random(name)
    model = {}
    for _ in range(int(count)):
        with env.begin(write=True) as txn:
            n = int(txn.get(b'commits', b'0')) + 1
            for _ in range(dice.randrange(1, 8)):
                key = f'{name}-{dice.randrange(200)}'
                if dice.random() < 0.3:
                    assert txn.delete(key.encode()) == (key in model), key
                    model.pop(key, None)
                else:
                    value = str(dice.random()) * dice.randrange(1, 60)
                    txn.put(key.encode(), value.encode())
                    model[key] = value
            txn.put(b'commits', b'%d' % n)
            txn.put(b'twin', b'%d' % n)
        with env.begin() as txn:
            key = dice.choice(sorted(model)) if model else None
            if key and txn.get(key.encode()) != model[key].encode():
                sys.exit(f'{name}: {key} has another value')
            assert int(txn.get(b'commits')) >= n
    env.close()
    with open(f'{name}.model', 'w') as out:
        json.dump(model, out)


def read(path, writemap, stop):
    env = opened(path, writemap)
    last = 0
    while not os.path.exists(stop):
        with env.begin() as txn:
            commits = int(txn.get(b'commits', b'0'))
            if commits != int(txn.get(b'twin', b'0')) or commits < last:
                sys.exit('a snapshot that never was')
            if sum(1 for _ in txn.cursor()) != txn.stat()['entries']:
                sys.exit('a snapshot has other entries than it says')
            last = commits


def check(path, writemap, *names):
    env = opened(path, writemap)
    want = {}
    for name in names:
        with open(f'{name}.model') as file:
            want.update(json.load(file))
    with env.begin() as txn:
        got = {k.decode(): v.decode() for k, v in txn.cursor()}
    print('commits', got.pop('commits'), got.pop('twin'))
    print('equal to the model:', got == want, len(want))


{'write': write, 'read': read, 'check': check}[sys.argv[1]](*sys.argv[2:])
