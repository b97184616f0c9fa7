"""What Kite Connect and Alpaca answer on loopback, in the documented shapes, behind `HttpSource`'s scripts."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qs

from tests.standins.http_source import Reply, Request, json_reply

KEY, SECRET, TOKEN = "kitekey0001", "canary-kite-secret-01", "canary-access-token-01"
KEY_ID, SECRET_KEY = "PKCANARY0000000001", "canary-alpaca-secret-01"
REQUEST_TOKEN = "requesttoken0123456789abcdefghij"


def kite_error(kind: str, message: str, status: int) -> Reply:
    return json_reply({"status": "error", "message": message, "error_type": kind}, status)


def holding(symbol: str, isin: str, quantity: float, price: float, **more: Any) -> dict[str, Any]:
    """A row of `/portfolio/holdings`."""
    row = {
        "tradingsymbol": symbol,
        "exchange": "NSE",
        "instrument_token": 408065,
        "isin": isin,
        "product": "CNC",
        "quantity": quantity,
        "used_quantity": 0,
        "t1_quantity": 0,
        "realised_quantity": quantity,
        "opening_quantity": quantity,
        "collateral_quantity": 0,
        "collateral_type": "",
        "discrepancy": False,
        "average_price": price,
        "last_price": price + 1,
        "close_price": price,
        "pnl": quantity,
        "day_change": 1,
    }
    return {**row, **more}


def net(symbol: str, quantity: int, product: str = "CNC", exchange: str = "NSE") -> dict[str, Any]:
    """A row of `/portfolio/positions`."""
    return {
        "tradingsymbol": symbol,
        "exchange": exchange,
        "product": product,
        "quantity": quantity,
        "overnight_quantity": 0,
        "average_price": 10.5,
    }


@dataclass(slots=True)
class Kite:
    """A script for `HttpSource`: knows one token, and answers these rows."""

    holdings: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    positions: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    token: str = TOKEN

    def __call__(self, request: Request) -> Reply:
        headers = {name.lower(): value for name, value in request.headers.items()}
        if headers.get("x-kite-version") != "3":
            return kite_error("InputException", "Missing version", 400)
        if headers.get("authorization") != f"token {KEY}:{self.token}":
            return kite_error("TokenException", "Incorrect `api_key` or `access_token`.", 403)
        data: dict[str, Any] = {
            "/portfolio/holdings": self.holdings,
            "/portfolio/positions": {"net": self.positions, "day": self.positions},
        }
        return json_reply({"status": "success", "data": data[request.path]})


def position(symbol: str, exchange: str, qty: str, price: str, **more: str) -> dict[str, Any]:
    """A row of `/v2/positions`: every number is a string."""
    row = {
        "asset_id": "904837e3-3b76-47ec-b432-046db621571b",
        "symbol": symbol,
        "exchange": exchange,
        "asset_class": "us_equity",
        "avg_entry_price": price,
        "qty": qty,
        "side": "long",
        "market_value": "600.0",
        "cost_basis": "500.0",
    }
    return {**row, **more}


def alpaca(rows: list[dict[str, Any]]) -> Callable[[Request], Reply]:
    def answer(request: Request) -> Reply:
        headers = {name.lower(): value for name, value in request.headers.items()}
        if (headers.get("apca-api-key-id"), headers.get("apca-api-secret-key")) != (KEY_ID, SECRET_KEY):
            return json_reply({"code": 40110000, "message": "request is not authorized"}, 401)
        return json_reply(rows if request.path == "/v2/positions" else {})

    return answer


class KiteLogin:
    """A server for `POST /session/token` that knows the one secret and the one request token."""

    def __init__(self, user_id: str = "AB1234") -> None:
        self.user_id = user_id
        self.reply: Reply | None = None
        self._server = _LoginServer(("127.0.0.1", 0), self)
        self._thread = Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def answer(self, path: str, form: dict[str, list[str]]) -> Reply:
        if self.reply is not None:
            return self.reply
        token = form["request_token"][0]
        checksum = hashlib.sha256(f"{KEY}{token}{SECRET}".encode()).hexdigest()
        if path != "/session/token" or token != REQUEST_TOKEN or form["checksum"] != [checksum]:
            said = f"Token is invalid or has expired: {token} {form['checksum'][0]}"
            return kite_error("TokenException", said, 403)
        data = {"user_id": self.user_id, "access_token": TOKEN, "login_time": "2022-12-29 05:00:00"}
        return json_reply({"status": "success", "data": data})


class _LoginServer(ThreadingHTTPServer):
    def __init__(self, address: tuple[str, int], login: KiteLogin) -> None:
        super().__init__(address, _LoginHandler)
        self.login = login


class _LoginHandler(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        assert isinstance(self.server, _LoginServer)
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        reply = self.server.login.answer(self.path, parse_qs(body))
        self.send_response(reply.status)
        self.send_header("Content-Length", str(len(reply.body)))
        self.end_headers()
        self.wfile.write(reply.body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 (the base class calls it so)
        """Say nothing: a test's output is its own."""
