// Starts the page, and shows each new view of the desk.

const TOKEN = "stockdesk-token";
let view = null;
let link = null;

function redraw() {
  if (!view) return;
  byId("desk").hidden = false;
  drawHeader(view);
  render(byId("message"), h("bdi", {}, inButtons(view.status.message)));
  drawLanes(view);
  drawTroubles(view);
  drawTimeline(view);
  drawChips(view);
  render(byId("footer"), view.disclaimer, " · as of ", time(view.now, withSeconds));
}

function show(fresh) {
  const parsed = performance.now();
  clockAhead = Date.parse(fresh.now) - Date.now();
  view = fresh;
  redraw();
  if (view.board.stocks === 0) {
    for (const stock of [...board.rows.keys()]) dropRow(stock);
    drawBoard();
    sayPainted();
  }
  loadBoard();
  refreshDrill();
  withdrawQuestion();
  link.shown(view);
  if (isEmbedded) showConnection("polling");
  afterPaint(() => {
    document.documentElement.dataset.updated = (performance.now() - parsed).toFixed(1);
  });
}

function sayPainted() {
  const { dataset } = document.documentElement;
  afterPaint(() => {
    dataset.painted ??= performance.now().toFixed(1);
  });
}

function afterPaint(then) {
  requestAnimationFrame(() => setTimeout(then));
}

const loading = { isOn: false, again: false };

/** Read the desk anew. News that come meanwhile cause one more reading, not one each. */
async function refresh() {
  loading.again = loading.isOn;
  if (loading.isOn || !link) return;
  loading.isOn = true;
  const asked = link;
  try {
    const fresh = await asked.call("show_dashboard", {});
    if (link === asked) show(fresh);
  } catch (error) {
    // What a link says that was left meanwhile, such as that its token is wrong, concerns nobody.
    if (link === asked) {
      reportTrouble(error);
      link?.shown(view);
    }
  } finally {
    loading.isOn = false;
  }
  if (loading.again) refresh();
}

function reportTrouble(error) {
  if (reportSignIn(error)) return;
  if (error instanceof ToolError) say(error.message, "bad");
  else if (isEmbedded) showConnection("lost");
  // The stream over HTTP notices a lost server by itself, and says when it tries again.
  else if (!(error instanceof LostError)) console.warn(error);
}

function reportSignIn(error) {
  if (!(error instanceof SignInError)) return false;
  askForToken(error.message);
  return true;
}

function receive(result) {
  try {
    show(answerOf("show_dashboard", result));
  } catch {
    refresh();
  }
}

function connect(made) {
  link = made;
  return link.start({
    changed: refresh,
    result: receive,
    state: heardOfLink,
    signIn: askForToken,
  });
}

function heardOfLink(state, pause) {
  showConnection(state, pause);
  // What was said of a lost server is over.
  if (state === "live" && byId("toast").textContent.startsWith(LOST)) say("");
}

function askForToken(why) {
  link?.stop();
  link = null;
  view = null;
  sessionStorage.removeItem(TOKEN);
  byId("drill").close();
  byId("confirm").close("");
  byId("desk").hidden = byId("facts").hidden = byId("sign-out").hidden = true;
  byId("sign-in").hidden = false;
  render(byId("sign-in-error"), why);
  byId("token").focus();
  showConnection("signed-out");
}

function signIn(token) {
  link?.stop();
  sessionStorage.setItem(TOKEN, token);
  byId("sign-in").hidden = true;
  byId("sign-out").hidden = false;
  showConnection("starting");
  connect(httpLink(() => token));
}

/** An address with `#token=…` signs in; the token leaves it at once, so that it is in no history. */
function tokenOfAddress() {
  const token = new URLSearchParams(location.hash.slice(1)).get("token");
  if (token) history.replaceState(null, "", location.pathname);
  return token;
}

function start() {
  showConnection("starting");
  if (isEmbedded) {
    connect(hostLink()).catch((error) => say(error.message, "bad"));
    return;
  }
  const token = tokenOfAddress() ?? sessionStorage.getItem(TOKEN);
  if (token) signIn(token);
  else askForToken("");
}

byId("sign-in").addEventListener("submit", (event) => {
  event.preventDefault();
  signIn(byId("token").value.trim().replace(/^Bearer\s+/i, ""));
  byId("token").value = "";
});
window.addEventListener("hashchange", () => {
  const token = isEmbedded ? null : tokenOfAddress();
  if (token) signIn(token);
});
byId("board-text").addEventListener("focus", loadNames);
byId("board-text").addEventListener("input", ({ target }) => {
  board.text = target.value;
  drawBoard();
});
byId("timeline-list").parentElement.addEventListener("toggle", () => view && drawTimeline(view));
new ResizeObserver(() => view && drawTimeline(view)).observe(byId("timeline-box"));
setInterval(() => {
  if (!view || document.hidden) return;
  tick();
  if (view.status.queues.some(({ running }) => running)) drawTimeline(view);
}, 1000);
start();
