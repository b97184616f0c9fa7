// One task with its attempts, and the list of a queue's tasks.

async function taskPage({ arg: id }) {
  const { task, attempts, run } = await link.call("get_task", { task_id: id });
  return {
    title: id,
    body: [
      h(
        "div.verdict-head",
        { key: "head" },
        h(`span.badge.${task.state}`, {}, task.state),
        h("span", {}, QUEUES[task.queue].title),
        h("span.muted", {}, `attempt ${task.attempt}`),
        taskButtons(task),
      ),
      task.error && h("p.error", { key: "error" }, h("bdi", {}, task.error)),
      facts(
        "task",
        [
          ["About", h("bdi", {}, titleOf(task))],
          task.waiting_for && [
            "Waits for",
            [
              h("bdi", {}, inButtons(task.waiting_for.what)),
              task.waiting_for.until && [", until ", time(task.waiting_for.until)],
            ],
          ],
          task.progress && [
            "Progress",
            `${count(task.progress.done)} of ${count(task.progress.total)}: ${task.progress.message}`,
          ],
          ["Enqueued", time(task.enqueued_at)],
          ["Due", task.due_at !== task.enqueued_at && time(task.due_at)],
          ["Started", task.started_at && time(task.started_at, withSeconds)],
          ["Ended", task.finished_at && time(task.finished_at, withSeconds)],
          ["Run", runWords(run)],
        ].filter((row) => row && row[1]),
      ),
      part("Attempts", attempts.length > 0 && attemptsTable(attempts)),
      asJson("Payload", task.payload),
      asJson("Result", task.result),
    ],
  };
}

function taskButtons({ id, state, queue }) {
  const isOver = !["queued", "running"].includes(state);
  if (!isOver) return button("Cancel", "cancel", id, { testid: `cancel-${id}`, name: `Cancel ${id}` });
  if (state === "completed") return null; // to do finished work again is a wish, and no slip of the hand
  return button("Retry", "retry", id, {
    testid: `retry-${id}`,
    name: `Retry ${id} of ${QUEUES[queue].title}`,
  });
}

function runWords({ run_id: id, tasks, stocks, stocks_done: done, stocks_failed: failed }) {
  const total = Object.values(tasks).reduce((sum, number) => sum + number, 0);
  const ofStocks =
    stocks > 0
      ? `; ${count(done)} of ${plural(stocks, "stock")} done${failed ? `, ${count(failed)} failed` : ""}`
      : "";
  return `${id}: ${plural(total, "task")}, ${count(tasks.completed)} completed${ofStocks}`;
}

function attemptsTable(attempts) {
  return h(
    "div.scroll-x",
    { role: "region", "aria-label": "Attempts", tabindex: 0 },
    h(
      "table",
      {},
      h(
        "thead",
        {},
        h(
          "tr",
          {},
          ["Started", "Took", "Ended as", "Why"].map((head) =>
            h(`th${head === "Took" ? ".number" : ""}`, { scope: "col" }, head),
          ),
        ),
      ),
      h(
        "tbody",
        {},
        [...attempts].reverse().map((each) =>
          h(
            "tr",
            { key: String(each.claim) },
            h(
              "td",
              {},
              time(each.started_at, (at) => `${spoken(at)}:${withSeconds(at).slice(-2)}`),
            ),
            h(
              "td.number",
              {},
              each.ended_at
                ? span(Date.parse(each.ended_at) - Date.parse(each.started_at))
                : elapsed(each.started_at),
            ),
            h("td", {}, each.outcome ?? "runs"),
            h("td", {}, each.detail ? h("bdi", {}, each.detail) : ""),
          ),
        ),
      ),
    ),
  );
}

function asJson(title, value) {
  return (
    value &&
    Object.keys(value).length > 0 &&
    h(
      "details",
      { key: title },
      h("summary", {}, title),
      h("pre", { tabindex: 0, role: "region", "aria-label": title }, JSON.stringify(value, null, 2)),
    )
  );
}

const LISTED = ["all", "queued", "running", "failed", "cancelled", "completed"];

async function tasksPage(page) {
  page.state ??= "all";
  page.pages ??= 1;
  const tasks = [];
  let cursor = null;
  let total = 0;
  for (let number = 0; number < page.pages && (cursor || number === 0); number++) {
    const found = await link.call("list_tasks", {
      queue: page.arg,
      limit: 20,
      ...(page.state !== "all" && { state: [page.state] }),
      ...(cursor && { cursor }),
    });
    tasks.push(...found.tasks);
    ({ total, next_cursor: cursor } = found);
  }
  return {
    title: `Tasks of ${QUEUES[page.arg].title}`,
    body: [
      h(
        "div.chips",
        { key: "states", role: "group", "aria-label": "Filter by state" },
        LISTED.map((state) =>
          h(
            "button.chip.all",
            {
              type: "button",
              key: state,
              act: "list-state",
              arg: state,
              "aria-pressed": String(page.state === state),
            },
            state,
          ),
        ),
      ),
      h(
        "p.small.muted",
        { key: "count", role: "status" },
        `${count(tasks.length)} of ${plural(total, "task")}, newest first`,
      ),
      h("ul.tasks", { key: "tasks" }, tasks.map(listedTask)),
      cursor && h("button", { type: "button", key: "more", act: "list-more" }, "More"),
    ],
  };
}

function listedTask(task) {
  const when = task.finished_at ?? task.started_at ?? task.enqueued_at;
  return h(
    "li",
    { key: task.id },
    h(
      "div",
      {},
      h(
        "p",
        {},
        h(`span.badge.${task.state}`, {}, task.state),
        " ",
        taskLink(task.id, titleOf(task)),
        h("span.small.muted", {}, ` ${task.id} · `, time(when)),
      ),
      task.error && h("p.small.why", {}, h("bdi", {}, task.error)),
    ),
    taskButtons(task),
  );
}
