// In a browser tab: a client of the very server that gave this page, in protocol 2026-07-28.

const PROTOCOL = "2026-07-28";
const META = {
  "io.modelcontextprotocol/protocolVersion": PROTOCOL,
  "io.modelcontextprotocol/clientInfo": { name: "stockdesk-dashboard", version: "1" },
  "io.modelcontextprotocol/clientCapabilities": {},
};
const STATUS = "stockdesk://status";
// The server writes at least every 15 s; a computer that slept hears no end of its stream.
const SILENCE = 40_000;
const LONGEST_PAUSE = 15_000;
// What no commit tells of: a leader that died, a hold that ends.
const LOOK_AGAIN = 30_000;

class SignInError extends Error {}
const WRONG_TOKEN = "That is not the token of this home; it is in the file http-token of the home.";
/** The server cannot be reached; the page says so beside its name, and that it tries again. */
class LostError extends Error {}
const LOST =
  "The server cannot be reached; start it with `stockdesk serve --http`, and this page goes on by itself.";

/** The link to the desk over HTTP. `token` gives the bearer token of the moment. */
function httpLink(token) {
  let lastId = 0;
  let heard;
  let stream;
  let failures = 0;
  let later;

  async function post(method, params, { name, signal } = {}) {
    const id = ++lastId;
    const response = await reach("/mcp", {
      method: "POST",
      headers: {
        Accept: "application/json, text/event-stream",
        Authorization: `Bearer ${token()}`,
        "Content-Type": "application/json",
        "MCP-Protocol-Version": PROTOCOL,
        "Mcp-Method": method,
        ...(name && { "Mcp-Name": name }),
      },
      body: JSON.stringify({ jsonrpc: "2.0", id, method, params: { ...params, _meta: META } }),
      cache: "no-store",
      credentials: "omit",
      signal,
    });
    if (response.ok) return { id, response };
    if (response.status === 401) throw new SignInError(WRONG_TOKEN);
    const says = await sentence(response);
    throw new Error(says ?? `The server answered ${response.status}.`);
  }

  async function call(tool, args) {
    const { id, response } = await post("tools/call", { name: tool, arguments: args }, { name: tool });
    for await (const message of messagesOf(response)) {
      if (message.id !== id) continue;
      if (message.error) throw new ToolError(message.error.message);
      return answerOf(tool, message.result);
    }
    throw new Error(`The server ended before it answered ${tool}; try again.`);
  }

  async function listen() {
    clearTimeout(later);
    stream?.abort();
    const mine = new AbortController();
    stream = mine;
    try {
      const { response } = await post(
        "subscriptions/listen",
        { notifications: { resourceSubscriptions: [STATUS] } },
        { signal: mine.signal },
      );
      for await (const message of messagesOf(response, () => mine.abort())) {
        if (message.error) throw new Error(message.error.message);
        if (message.method === "notifications/subscriptions/acknowledged") {
          failures = 0;
          heard.state("live");
        }
        if (message.method) heard.changed();
      }
    } catch (error) {
      if (stream !== mine || document.hidden) return;
      if (error instanceof SignInError) {
        heard.signIn(error.message);
        return;
      }
    }
    if (stream === mine && !document.hidden) listenAgain();
  }

  function listenAgain() {
    const pause = Math.min(LONGEST_PAUSE, 1000 * 2 ** failures++);
    heard.state("lost", pause);
    later = setTimeout(listen, pause);
  }

  // A tab that nobody sees leaves its connection to others: a browser has but six for one server.
  document.addEventListener("visibilitychange", () => {
    if (!heard) return;
    clearTimeout(later);
    if (document.hidden) stream?.abort();
    else listen();
  });
  window.addEventListener("online", () => heard && listen());
  setInterval(() => heard && !document.hidden && heard.changed(), LOOK_AGAIN);

  return {
    async start(listeners) {
      heard = listeners;
      heard.changed(); // not only once the stream is there: it would show everything a moment later
      listen();
    },
    stop() {
      clearTimeout(later);
      stream?.abort();
      heard = stream = undefined;
    },
    call,
    shown() {},
  };
}

async function reach(path, request) {
  try {
    return await fetch(path, request);
  } catch {
    throw new LostError(LOST);
  }
}

async function sentence(response) {
  try {
    return (await response.json()).error?.message;
  } catch {
    return undefined; // not from Stockdesk but from something in between
  }
}

/** The JSON-RPC messages of a response, be it one or a stream; a stream that falls silent is given up. */
async function* messagesOf(response, giveUp) {
  if (!response.headers.get("content-type")?.startsWith("text/event-stream")) {
    yield await response.json();
    return;
  }
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  while (true) {
    const silence = giveUp && setTimeout(giveUp, SILENCE);
    const { value, done } = await reader.read();
    clearTimeout(silence);
    if (done) return;
    const events = (text + value).split(/\r?\n\r?\n/);
    text = events.pop();
    for (const event of events) {
      const data = event
        .split(/\r?\n/)
        .filter((line) => line.startsWith("data:"))
        .map((line) => line.slice(5).trim());
      if (data.length) yield JSON.parse(data.join("\n"));
    }
  }
}
