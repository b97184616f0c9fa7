// Finding a stock on the board: order, filters, and the keys that lead from row to row.

const COLUMNS = [
  ["stock", "Stock", (verdict) => verdict.stock],
  ["action", "Verdict", (verdict) => ACTION_ORDER.indexOf(verdict.action)],
  ["conviction", "Conviction", (verdict) => verdict.conviction],
  ["analyst", "Judged by", (verdict) => verdict.analyst],
  ["as_of", "Data of", (verdict) => verdict.as_of ?? ""],
  ["thesis", "Thesis", null],
];
// Rows from which on those out of sight are not laid out.
const LONG = 100;

// Of a company, in small letters, by its stock: a verdict does not name it, what is held does.
const names = { of: undefined, by: new Map() };

/** For whoever is about to filter; once for each state of the board. */
async function loadNames() {
  const { seen } = board;
  if (!link || names.of === seen) return;
  names.of = seen;
  try {
    for await (const page of pagesOf("get_portfolio"))
      for (const { stock, name } of page.holdings) if (name) names.by.set(stock, name.toLowerCase());
    drawBoard();
  } catch (error) {
    names.of = undefined;
    reportTrouble(error);
  }
}

function drawBoard() {
  const { sort, isDown, text, action } = board;
  const value = COLUMNS.find(([key]) => key === sort)[2];
  const compare = (one, other) => {
    const [a, b] = [value(one.verdict), value(other.verdict)];
    const order = a < b ? -1 : a > b ? 1 : 0;
    return (isDown ? -order : order) || (one.verdict.stock < other.verdict.stock ? -1 : 1);
  };
  const rows = [...board.rows.values()].sort(compare);
  const words = text.toLowerCase().split(/\s+/).filter(Boolean);
  const isWanted = ({ verdict, text }) =>
    (!action || verdict.action === action) &&
    words.every((word) => text.includes(word) || names.by.get(verdict.stock)?.includes(word));
  const body = byId("board-rows");
  let shown = 0;
  keepingFocus(() => {
    let at = body.firstChild;
    for (const row of rows) {
      const hide = !isWanted(row);
      shown += hide ? 0 : 1;
      if (row.element.hidden !== hide) row.element.hidden = hide;
      if (row.element === at) at = at.nextSibling;
      else body.insertBefore(row.element, at);
    }
  });
  drawBoardHead(shown);
  rove();
}

function drawBoardHead(shown) {
  render(
    byId("board-head"),
    COLUMNS.map(([key, title, value]) => {
      const order = board.isDown ? "descending" : "ascending";
      const label = h("button.sort", { type: "button", act: "sort", arg: key }, title);
      const classes =
        { conviction: ".number", analyst: ".wider", as_of: ".age", thesis: ".thesis" }[key] ?? "";
      return h(
        `th${classes}`,
        { key, role: "columnheader", scope: "col", "aria-sort": board.sort === key && order },
        value ? label : title,
      );
    }),
  );
  const known = board.rows.size;
  const missing = Math.max(0, board.total - known);
  byId("board-filters").hidden = known === 0;
  byId("board").classList.toggle("long", known > LONG);
  // Read out when all are there, not page by page.
  byId("board-count").setAttribute("aria-busy", missing > 0);
  render(
    byId("board-count"),
    shown < known && `${count(shown)} of `,
    plural(known, "stock"),
    missing > 0 && `, ${count(missing)} still loading`,
  );
  const nothing = known
    ? `No stock matches the filter${missing ? " yet" : ""}.`
    : "No verdict yet. Ask for a portfolio review, and each stock's verdict appears here.";
  byId("board").hidden = shown === 0;
  byId("board-empty").hidden = shown > 0;
  render(byId("board-empty"), board.isLoading && !known ? "Loading…" : nothing);
}

/** One stock takes part in tabbing, arrows lead to the others: nobody wants to tab through hundreds. */
function rove(to) {
  const body = byId("board-rows");
  const before = body.querySelector('button[tabindex="0"]');
  const row =
    to ??
    body.querySelector(`tr[data-arg="${CSS.escape(board.current ?? "")}"]:not([hidden])`) ??
    body.querySelector("tr:not([hidden])");
  const next = row?.querySelector("button");
  if (before !== next) before?.setAttribute("tabindex", -1);
  next?.setAttribute("tabindex", 0);
  if (to) board.current = row.dataset.arg;
}

byId("board-rows").addEventListener("focusin", ({ target }) => rove(target.closest("tr")));
byId("board-rows").addEventListener("keydown", (event) => {
  const rows = [...byId("board-rows").querySelectorAll("tr:not([hidden])")];
  const at = rows.indexOf(event.target.closest("tr"));
  const to = { ArrowDown: rows[at + 1], ArrowUp: rows[at - 1], Home: rows[0], End: rows.at(-1) }[event.key];
  if (!to) return;
  event.preventDefault();
  to.querySelector("button").focus();
});

/** The filter by action, with how many stocks each has. */
function drawChips({ board: { actions, stocks } }) {
  const chip = (action, label, number) =>
    h(
      `button.chip.${action ? toneOf(action) : "all"}`,
      {
        type: "button",
        key: label,
        act: "filter",
        arg: action,
        "aria-pressed": String(board.action === action),
      },
      label,
      h("span.number", {}, ` ${count(number)}`),
    );
  render(
    byId("board-actions"),
    stocks > 0 && [
      chip("", "All", stocks),
      ACTION_ORDER.filter((action) => actions[action]).map((action) =>
        chip(action, ACTIONS[action], actions[action]),
      ),
    ],
  );
}
