"""The open positions of an Interactive Brokers Flex query, as XML."""

from collections.abc import Iterator
from xml.etree.ElementTree import Element, ParseError

from defusedxml import DefusedXmlException
from defusedxml.ElementTree import fromstring

from handlers.brokers.holding import BrokerFileError, Position, Skipped
from handlers.brokers.layouts import NO_SHARES
from handlers.brokers.numbers import parse_amount, share_of


def flex_positions(text: str) -> Iterator[tuple[str, Position | Skipped | BrokerFileError]]:
    """Every OpenPosition in order, with how a message names it.

    Lots repeat what their summary says, and everything but STK is no stock: both are skipped.

    Raises:
        BrokerFileError: not such a file, cut off, or with a DTD, which no statement has.
    """
    for number, position in enumerate(_parse(text).iter("OpenPosition"), start=1):
        try:
            yield f"Position {number}", _read(position)
        except BrokerFileError as error:
            yield f"Position {number}", error


def _parse(text: str) -> Element:
    try:
        root = fromstring(text, forbid_dtd=True)
    except (ParseError, DefusedXmlException, ValueError) as error:
        raise BrokerFileError(
            f"The file is not XML that can be trusted ({str(error)[:80]}); run the Flex query again."
        ) from error
    if root.tag != "FlexQueryResponse":
        raise BrokerFileError(
            f"The XML begins with <{root.tag[:40]}>, not with <FlexQueryResponse>; "
            "export the Open Positions of a Flex query."
        )
    return root


def _read(position: Element) -> Position | Skipped:
    level, kind = position.get("levelOfDetail", "SUMMARY"), position.get("assetCategory", "")
    if level != "SUMMARY":
        return Skipped(level[:20].lower())
    if kind != "STK":
        return Skipped(f"asset category {kind[:20] or 'missing'}")
    quantity, _ = parse_amount(position.get("position", "").strip(), "position")
    if quantity == 0:
        return NO_SHARES
    price, each = position.get("costBasisPrice", "").strip(), "costBasisPrice"
    money, whole = position.get("costBasisMoney", "").strip(), "costBasisMoney"
    return Position(
        quantity=quantity,
        price=parse_amount(price, each)[0] if price else share_of(parse_amount(money, whole)[0], quantity),
        symbol=position.get("symbol", "").strip(),
        isin=position.get("isin", "").strip(),
        exchange=position.get("listingExchange", "").strip(),
        currency=position.get("currency", "").strip(),
        name=position.get("description", "").strip(),
        account=position.get("accountId", "").strip(),
    )
