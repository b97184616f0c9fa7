from server.desk import Desk
from server.portfolio_views import portfolio_view
from tests.server.seeding import hold_all, many_stocks


async def test_all_that_is_held_is_shown_where_no_page_is_asked_for(desk: Desk) -> None:
    stocks = many_stocks(60)
    await desk.database.write(lambda tx: hold_all(tx, stocks))
    page = await desk.database.read(lambda tx: portfolio_view(tx, None, limit=60))
    whole = await desk.database.read(lambda tx: portfolio_view(tx, None))
    assert len(page.holdings) < 60
    assert ([each.stock for each in whole.holdings], whole.next_cursor) == (list(map(str, stocks)), None)
