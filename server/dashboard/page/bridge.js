// Inside a host of MCP Apps: JSON-RPC by postMessage, specification of 2026-01-26.

const isEmbedded = window.parent !== window;
// A host may ask its person before it lets a tool run.
const HOST_PATIENCE = 120_000;
const POLL_BUSY = 3000;
const POLL_IDLE = 15_000;

/** What a tool refuses; its sentence is for the person. */
class ToolError extends Error {}

/** What a result says: its structured content, or its error as it is. */
function answerOf(tool, result) {
  const text = (result?.content ?? []).map((block) => block.text ?? "").join("\n");
  if (result?.isError) {
    throw new ToolError(text.replace(`Error executing tool ${tool}: `, "") || `${tool} failed.`);
  }
  return result?.structuredContent ?? JSON.parse(text);
}

/** The link to the desk through the host. It polls, for the protocol brings an app no news of resources. */
function hostLink() {
  const waiting = new Map();
  const heard = {};
  let lastId = 0;
  let timer;
  let hasEnded = false;

  const post = (message) => window.parent.postMessage({ jsonrpc: "2.0", ...message }, "*");

  function ask(method, params) {
    const id = ++lastId;
    return new Promise((resolve, reject) => {
      const late = setTimeout(() => {
        waiting.delete(id);
        reject(new Error(`The host did not answer ${method} within ${HOST_PATIENCE / 1000} s.`));
      }, HOST_PATIENCE);
      waiting.set(id, { resolve, reject, late });
      post({ id, method, params });
    });
  }

  function settleAnswer({ id, result, error }) {
    const asked = waiting.get(id);
    if (!asked) return;
    waiting.delete(id);
    clearTimeout(asked.late);
    if (error) asked.reject(new Error(error.message ?? "The host refused."));
    else asked.resolve(result);
  }

  function obey({ id, method, params }) {
    switch (method) {
      case "ui/notifications/tool-result":
        clearTimeout(timer);
        heard.result(params);
        return;
      case "ui/notifications/host-context-changed":
        adopt(params);
        return;
      case "ui/resource-teardown":
        hasEnded = true;
        clearTimeout(timer);
        sizes.disconnect();
        post({ id, result: {} });
        return;
      case "ping":
        post({ id, result: {} });
        return;
      default:
        if (id !== undefined) post({ id, error: { code: -32601, message: `There is no method ${method}.` } });
    }
  }

  window.addEventListener("message", ({ source, data }) => {
    if (source !== window.parent || data?.jsonrpc !== "2.0" || hasEnded) return;
    if (data.method === undefined) settleAnswer(data);
    else obey(data);
  });

  let told = "";
  const sizes = new ResizeObserver(() => {
    const width = Math.ceil(document.documentElement.getBoundingClientRect().width);
    const height = Math.ceil(document.body.getBoundingClientRect().height);
    if (told === `${width} ${height}`) return;
    told = `${width} ${height}`;
    post({ method: "ui/notifications/size-changed", params: { width, height } });
  });

  function pollLater(delay) {
    clearTimeout(timer);
    if (!hasEnded && !document.hidden) timer = setTimeout(() => heard.changed(), delay);
  }

  document.addEventListener("visibilitychange", () => pollLater(0));

  return {
    async start(listeners) {
      Object.assign(heard, listeners);
      const host = await ask("ui/initialize", {
        appInfo: { name: "stockdesk-dashboard", version: "1" },
        appCapabilities: { availableDisplayModes: ["inline", "fullscreen"] },
        protocolVersion: "2026-01-26",
      });
      adopt(host?.hostContext);
      post({ method: "ui/notifications/initialized", params: {} });
      sizes.observe(document.body);
      heard.state("polling");
      pollLater(1500); // a host that opens the page anew may have no result to send
    },
    call: async (tool, args) => answerOf(tool, await ask("tools/call", { name: tool, arguments: args })),
    visit: (url) => ask("ui/open-link", { url }).catch((error) => say(error.message, "bad")),
    stop() {},
    shown: (view) => pollLater(view && isWorking(view) ? POLL_BUSY : POLL_IDLE),
  };
}

/** Take over what a host says of its look and place; a partial context changes only what it names. */
function adopt(context) {
  if (!context) return;
  const root = document.documentElement;
  if (context.theme === "light" || context.theme === "dark") root.dataset.theme = context.theme;
  for (const [name, value] of Object.entries(context.styles?.variables ?? {})) {
    if (/^--[a-z0-9-]+$/.test(name) && typeof value === "string") root.style.setProperty(name, value);
  }
  settle(context);
  redraw();
}

const isWorking = (view) => view.status.queues.some(({ running, counts }) => running || counts.queued > 0);
