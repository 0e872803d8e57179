from tests.conformance.conftest import World
def test_oidcc_server(world, person, strict):
    s = strict.signs_in(person)
    print(s)
    assert world.cas.passwords_typed == 1
