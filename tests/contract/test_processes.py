"""Two processes on one database, like workers of two hosts."""

from __future__ import annotations

import json

from bridge.store import Store
from tests.contract.records import allow, login, redeem, refreshes, works
from tests.support.processes import ProcessGroup

PROCESSES, THREADS = 2, 16

CONTENDER = """
import json, sys
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from bridge.store import Consumed, Store
from tests.contract.records import consume, fingerprint, key, redeem, refresh
url, threads, number = sys.argv[1], int(sys.argv[2]), sys.argv[3]
store = Store(url)
ready = Barrier(threads + 1)

def work(thread):
    name = f"{number}-{thread}"
    ready.wait()
    ready.wait()
    return {
        "key": store.keys.add(key(name), after=None),
        "consumed": isinstance(consume(store), Consumed),
        "redeemed": redeem(store, "code", gives=name),
        "refreshed": refresh(store, "refresh access"),
    }

with ThreadPoolExecutor(threads) as pool:
    futures = [pool.submit(work, thread) for thread in range(threads)]
    ready.wait()
    print("ready", flush=True)
    sys.stdin.readline()
    ready.wait()
    print(json.dumps([future.result() for future in futures]))
store.close()
"""


def test_one_process_wins_each_race_row18_row25_row65(database: str) -> None:
    store = Store(database)
    allow(store)
    allow(store, "refreshed", "other code")
    redeem(store, "other code")
    store.pending_logins.save(login())
    with ProcessGroup(PROCESSES, CONTENDER, database, str(THREADS)) as contenders:
        contenders.wait_for("ready")
        contenders.send_line("go")
        done = [each for output in contenders.outputs() for each in json.loads(output)]
    assert len(done) == PROCESSES * THREADS
    won = {name: sum(each[name] for each in done) for name in done[0]}
    assert won == {"key": 1, "consumed": 1, "redeemed": 1, "refreshed": PROCESSES * THREADS}
    assert len(store.keys.all()) == 1
    assert works(store, "after refresh access")
    assert refreshes(store, "refresh after refresh access")
    purged = store.purge(now=10**10)
    assert purged["refresh_tokens"] == 1 + 2, "one from the code, and one with its single successor"
    assert purged["access_tokens"] == 1 + 2
    store.close()
