"""A store opened again has everything."""

from __future__ import annotations

from bridge.store import Consumed, Reused, Store, fingerprint
from tests.contract.records import NOW, allow, begin, client, consume, grant, key, login, never, redeem, session, works


def test_records_survive_restart(database: str) -> None:
    before = Store(database)
    begin(before)
    allow(before)
    redeem(before)
    before.pending_logins.save(login())
    before.keys.add(key(), after=None)
    before.clients.put(client(), now=NOW)
    before.grants.add_consent("hub", "alice", "openid", now=NOW)
    before.deliveries.queue([("hub", "sid", "alice", "https://hub/")], now=NOW)
    before.close()
    after = Store(database)
    assert consume(after) == Consumed(login())
    assert after.sessions.find(session().cookie_hash, now=NOW) == session()
    assert works(after, "access")
    assert list(after.keys.all()) == [key()]
    assert list(after.clients.all()) == [client()]
    assert after.grants.consented_scope("hub", "alice") == "openid"
    assert len(after.deliveries.list_waiting()) == 1
    assert after.grants.redeem_code(fingerprint("code"), client_id="hub", now=NOW + 2, build=never) == Reused(grant())
    after.close()


def test_check_passes_on_working_database(store: Store) -> None:
    store.check()
