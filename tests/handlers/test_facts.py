from datetime import date

import pytest

from handlers.facts import NewFact, current_facts, find_fact, store_facts
from handlers.stocks import Exchange, Stock
from queues.database import Database

INFY = Stock("INFY", Exchange.NSE)
TCS = Stock("TCS", Exchange.NSE)


def close(value: float, day: int = 27) -> NewFact:
    return NewFact(name="last_close", value=value, unit="INR", as_of=date(2022, 12, day), source="test")


def test_a_newer_fact_follows_and_the_older_one_can_still_be_cited(database: Database) -> None:
    database.write_now(lambda tx: store_facts(tx, INFY, [close(1500.0)]))
    (old,) = database.read_now(lambda tx: current_facts(tx, INFY))
    database.write_now(lambda tx: store_facts(tx, INFY, [close(1510.5, 28)]))
    (new,) = database.read_now(lambda tx: current_facts(tx, INFY))
    assert (new.value, new.as_of) == (1510.5, date(2022, 12, 28))
    assert database.read_now(lambda tx: find_fact(tx, old.id)) == old


def test_the_same_number_stored_again_keeps_its_id(database: Database) -> None:
    def store_and_read() -> str:
        database.write_now(lambda tx: store_facts(tx, INFY, [close(1500.0)]))
        return database.read_now(lambda tx: current_facts(tx, INFY))[0].id

    assert store_and_read() == store_and_read()


def test_facts_of_one_stock_leave_another_s_alone(database: Database) -> None:
    database.write_now(lambda tx: store_facts(tx, INFY, [close(1500.0)]))
    database.write_now(lambda tx: store_facts(tx, TCS, []))
    assert len(database.read_now(lambda tx: current_facts(tx, INFY))) == 1


@pytest.mark.parametrize("fact_id", ["f1", "f", "", "1", "fx", "f-1", "f" + "9" * 30, "f²"])
def test_an_id_that_was_never_given_finds_nothing(database: Database, fact_id: str) -> None:
    assert database.read_now(lambda tx: find_fact(tx, fact_id)) is None
