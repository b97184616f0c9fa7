// A client of Stockdesk on the TypeScript SDK: `typescript_client.mjs v1|v2 SERVER`. Version 1 speaks 2025-11-25,
// version 2 speaks 2026-07-28. SERVER is JSON: {command, args, env} for stdio, or {url, headers}. Prints what it saw.
const [version, server] = [process.argv[2], JSON.parse(process.argv[3])];
const PATIENCE = { timeout: 30_000 };

async function load() {
  if (version === "v2") {
    const [client, stdio] = await Promise.all([
      import("@modelcontextprotocol/client"),
      import("@modelcontextprotocol/client/stdio"),
    ]);
    return { ...client, ...stdio, updated: "notifications/resources/updated", asks: "elicitation/create" };
  }
  const parts = await Promise.all(
    ["client/index.js", "client/stdio.js", "client/streamableHttp.js", "types.js"].map(
      (part) => import(`@modelcontextprotocol/sdk/${part}`),
    ),
  );
  const sdk = Object.assign({}, ...parts);
  return { ...sdk, updated: sdk.ResourceUpdatedNotificationSchema, asks: sdk.ElicitRequestSchema };
}

const sdk = await load();
const client = new sdk.Client(
  { name: "typescript", version: "1" },
  // Version 1 knows nothing of negotiation.
  { capabilities: { elicitation: {} }, versionNegotiation: { mode: { pin: "2026-07-28" } } },
);
const transport = server.url
  ? new sdk.StreamableHTTPClientTransport(new URL(server.url), { requestInit: { headers: server.headers } })
  : new sdk.StdioClientTransport({ ...server, stderr: "ignore" });

async function call(name, args, options = {}) {
  const answer = await client.callTool({ name, arguments: args }, ...more(options));
  if (answer.isError) throw new Error(JSON.stringify(answer.content));
  return answer.structuredContent; // the client has held it against the tool's output schema
}
// Version 1 takes the schema of the result before the options.
const more = (options) => (version === "v2" ? [{ ...PATIENCE, ...options }] : [undefined, { ...PATIENCE, ...options }]);

async function subscribe(uri) {
  if (version === "v2") {
    const stream = await client.listen({ resourceSubscriptions: [uri] });
    return () => stream.close();
  }
  await client.subscribeResource({ uri });
  return () => client.unsubscribeResource({ uri });
}

async function everyPage(list, key) {
  const all = [];
  let cursor;
  do {
    const page = await list(cursor ? { cursor } : {});
    all.push(...page[key]);
    cursor = page.nextCursor;
  } while (cursor);
  return all;
}

const seen = { progress: [] };
await client.connect(transport);
try {
  seen.tools = (await everyPage((page) => client.listTools(page), "tools")).map((tool) => tool.name);
  seen.resources = (await everyPage((page) => client.listResources(page), "resources")).map(({ uri }) => uri);
  seen.templates = (await client.listResourceTemplates()).resourceTemplates.map((each) => each.uriTemplate);
  seen.prompts = (await client.listPrompts()).prompts.map((prompt) => prompt.name);

  const updated = new Promise((resolve) =>
    client.setNotificationHandler(sdk.updated, ({ params }) => resolve(params.uri)),
  );
  const unsubscribe = await subscribe("stockdesk://status");
  const { run_id } = await call("enqueue_ai_analysis", { symbols: ["AAPL", "MSFT"], exchange: "NASDAQ" });
  const wait = { task_id: run_id, wait_seconds: 25, wait_for: "run" };
  seen.run = (await call("get_task", wait, { onprogress: (progress) => seen.progress.push(progress) })).run;
  seen.updated = await updated;
  await unsubscribe();
  seen.verdicts = (await call("get_verdicts", { symbols: ["NASDAQ:AAPL"] })).verdicts;
  const { contents } = await client.readResource({ uri: "stockdesk://verdicts/NASDAQ:AAPL" });
  seen.resource = JSON.parse(contents[0].text);

  await call("hold_queue", { queue: "data_fetcher", reason: "so that a task stays" });
  const fetch = await call("enqueue_data_fetch", { symbols: ["NASDAQ:AAPL"], force: true });
  const cancelled = new AbortController();
  const waiting = call("get_task", { task_id: fetch.run_id, wait_seconds: 50 }, { signal: cancelled.signal });
  const refused = waiting.catch((error) => error.message);
  await call("get_queue_status", {}); // so the request before it has arrived
  cancelled.abort("enough");
  seen.cancelled = await refused;
  seen.kept = (await call("get_task", { task_id: fetch.run_id })).task.state;

  client.setRequestHandler(sdk.asks, ({ params }) => {
    seen.question = params.message;
    return { action: "accept", content: { go_ahead: true } };
  });
  seen.cleared = (await call("clear_queue", { queue: "data_fetcher" })).cancelled;
} finally {
  await client.close();
}
console.log(JSON.stringify(seen));
