// The verdict of each stock. Rows are made once, and changed only where their verdict has changed. A grid lays
// them out, so that those out of sight cost nothing; as some browsers take that for no table, roles say it is one.

const ACTIONS = {
  ADD: "ADD",
  HOLD: "HOLD",
  TRIM: "TRIM",
  EXIT: "EXIT",
  INSUFFICIENT_DATA: "no data",
};
const ACTION_ORDER = Object.keys(ACTIONS);
// While a review runs, verdicts come one after another; each change would fetch every page again.
const RELOAD_EVERY = 3000;
const PAGE = 50;
const board = {
  rows: new Map(),
  total: 0,
  seen: null,
  isLoading: false,
  loadedAt: -Infinity,
  sort: "stock",
  isDown: false,
  text: "",
  action: "",
  current: null,
};

const toneOf = (action) => ({ ADD: "add", HOLD: "hold", TRIM: "trim", EXIT: "exit" })[action] ?? "no-data";
const convictionOf = ({ action, conviction }) =>
  action === "INSUFFICIENT_DATA" ? UNKNOWN : conviction.toFixed(2);
const badge = (action) => h(`span.badge.${toneOf(action)}`, {}, ACTIONS[action] ?? action);

/** Fetch the verdicts if they are not those on the board; one fetch at a time, and not too often. */
async function loadBoard() {
  const wanted = view && JSON.stringify([view.day, view.board.newest_at, view.board.stocks]);
  if (!view || board.isLoading || wanted === board.seen) return;
  const wait = board.loadedAt + RELOAD_EVERY - performance.now();
  board.isLoading = true;
  if (wait > 0) await new Promise((resolve) => setTimeout(resolve, wait));
  try {
    await loadPages();
    board.seen = wanted;
  } catch (error) {
    reportTrouble(error);
  } finally {
    board.isLoading = false;
    board.loadedAt = performance.now();
  }
  if (board.seen === wanted) await loadBoard();
}

async function loadPages() {
  const found = new Set();
  for await (const page of pagesOf("get_verdicts")) {
    board.total = page.total;
    for (const verdict of page.verdicts) {
      found.add(verdict.stock);
      keepRow(verdict);
    }
    if (!page.next_cursor) for (const stock of board.rows.keys()) if (!found.has(stock)) dropRow(stock);
    drawBoard();
    sayPainted();
  }
}

/** Each page of what a tool lists. */
async function* pagesOf(tool) {
  let cursor = null;
  do {
    const page = await link.call(tool, cursor ? { limit: PAGE, cursor } : { limit: PAGE });
    yield page;
    cursor = page.next_cursor;
  } while (cursor);
}

function keepRow(verdict) {
  const said = JSON.stringify([view.day, verdict]);
  const known = board.rows.get(verdict.stock);
  if (known?.said === said) return;
  const fresh = boardRow(verdict);
  const text =
    `${verdict.stock} ${ACTIONS[verdict.action] ?? verdict.action} ${verdict.thesis}`.toLowerCase();
  if (known) keepingFocus(() => patch(known.element, fresh));
  board.rows.set(verdict.stock, { verdict, said, text, element: known?.element ?? fresh });
}

function dropRow(stock) {
  board.rows.get(stock).element.remove();
  board.rows.delete(stock);
}

function boardRow(verdict) {
  const { stock, action, conviction, analyst, as_of: asOf, thesis } = verdict;
  return h(
    "tr",
    { role: "row", testid: `verdict-${stock}`, act: "verdict", arg: stock },
    h(
      "th",
      { role: "rowheader", scope: "row" },
      h("button.link", { type: "button", act: "verdict", arg: stock, tabindex: -1 }, stockName(stock)),
    ),
    h("td", { role: "cell" }, badge(action)),
    h(
      "td.number.conviction",
      { role: "cell" },
      h("span", {}, convictionOf(verdict)),
      action !== "INSUFFICIENT_DATA" && bar([conviction, toneOf(action)]),
    ),
    h("td.wider", { role: "cell" }, analyst === "claude" ? "Claude" : analyst),
    h(
      "td.age",
      { role: "cell" },
      asOf ? [h("time", { datetime: asOf }, asOf), h("span.muted.small", {}, ` ${age(asOf)}`)] : UNKNOWN,
    ),
    h("td.thesis", { role: "cell" }, h("bdi", {}, thesis)),
  );
}

/** Where it is too long for its column, it breaks between exchange and symbol. */
function stockName(stock) {
  const [exchange, symbol] = stock.split(/(?<=:)/);
  return symbol ? [h("span.muted", {}, exchange), h("wbr"), symbol] : stock;
}
