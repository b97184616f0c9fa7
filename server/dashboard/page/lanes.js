// Three lanes, one for each queue: what it does, why it does not, what comes next.

const QUEUES = {
  portfolio_sync: { title: "Portfolio sync", empty: "Holdings are brought in here." },
  data_fetcher: { title: "Data fetcher", empty: "Prices, reports and news are brought in here." },
  ai_analysis: { title: "AI analysis", empty: "Stocks are judged here, two or three at a time." },
};

function drawLanes(view) {
  render(
    byId("lanes"),
    view.status.queues.map((queue) => lane(queue, view)),
  );
}

function lane(queue, view) {
  const name = queue.queue;
  const next = view.upcoming.filter((task) => task.queue === name);
  return h(
    `article.card.lane.${name}`,
    { key: name, testid: `lane-${name}`, "aria-labelledby": `lane-title-${name}` },
    h(
      "div.lane-head",
      { key: "head" },
      h("h3", { id: `lane-title-${name}` }, QUEUES[name].title),
      h(`span.badge.${queue.state}`, {}, queue.state),
      holdButton(queue),
    ),
    queue.holds.map((hold, index) => holdNote(hold, index)),
    queue.waiting_for_approval > 0 && approvalNote(queue),
    h(
      "div.now",
      { key: "now" },
      queue.running ? running(queue.running, view) : h("p.muted", {}, restingWords(queue)),
    ),
    next.length > 0 &&
      h("ol.next", { key: "next", "aria-label": `Next in ${QUEUES[name].title}` }, next.map(upcoming)),
    h("div.lane-foot", { key: "foot" }, totals(queue), allTasks(queue)),
  );
}

function holdButton({ queue, holds }) {
  const { title } = QUEUES[queue];
  return holds.length > 0
    ? button("Release", "release", queue, { testid: `release-${queue}`, name: `Release ${title}` })
    : button("Hold", "hold", queue, { testid: `hold-${queue}`, name: `Hold ${title}` });
}

function holdNote(hold, index) {
  return h(
    "div.note.held",
    { key: `hold-${index}` },
    h(
      "p",
      {},
      h("b", {}, "Held"),
      hold.until ? [" until ", time(hold.until)] : " until released",
      h("span.muted", {}, ` · ${hold.source.replaceAll("_", " ")}`),
    ),
    h("p", {}, h("bdi", {}, hold.reason)),
  );
}

function approvalNote({ queue, waiting_for_approval: old }) {
  return h(
    "div.note",
    { key: "approval" },
    h(
      "p",
      {},
      `${plural(old, "task")} asked for over a day ago ${old === 1 ? "waits" : "wait"} for approval.`,
    ),
    button("Let them go", "approve", queue, { testid: `approve-${queue}` }),
  );
}

function restingWords({ queue, state, counts }) {
  if (state === "held") return "Nothing starts while it is held.";
  if (counts.queued > 0) return "Nothing runs; what is queued waits.";
  return Object.values(counts).some(Boolean) ? "Nothing to do." : QUEUES[queue].empty;
}

function running(task, view) {
  const { progress } = task;
  const attempt = view.recent.find((each) => each.task_id === task.id && each.ended_at === null);
  return h(
    "div.running",
    { key: task.id, testid: `running-${task.queue}` },
    h(
      "div.row.spread",
      {},
      taskLink(task.id, attempt?.title ?? titleOf(task)),
      button("Cancel", "cancel", task.id, {
        testid: `cancel-${task.id}`,
        kind: "quiet",
        name: `Cancel ${task.id}`,
      }),
    ),
    progressBar(progress, task),
    h(
      "p.small.muted.row.spread",
      {},
      h("bdi", {}, progress?.message ?? (task.attempt > 1 ? `attempt ${task.attempt}` : "")),
      h(
        "span",
        {},
        progress && h("span.number", {}, `${count(progress.done)}/${count(progress.total)} · `),
        task.started_at ? elapsed(task.started_at) : UNKNOWN,
      ),
    ),
  );
}

/** Without a number nobody knows how far it is; the bar then says only that it works. */
function progressBar(progress, task) {
  const isKnown = progress && progress.total > 0;
  const attributes = { role: "progressbar", "aria-label": `Progress of ${task.id}`, "aria-valuemin": 0 };
  if (isKnown) {
    attributes["aria-valuemax"] = progress.total;
    attributes["aria-valuenow"] = Math.min(progress.done, progress.total);
  }
  return h(
    `div.progress${isKnown ? "" : ".unknown"}`,
    attributes,
    bar([isKnown ? progress.done / progress.total : 1, "full"]),
  );
}

function upcoming(task) {
  const waits = task.waiting_for;
  return h(
    "li",
    { key: task.task_id },
    h("div", {}, taskLink(task.task_id, task.title), waits && waits.on !== "turn" && waitWords(waits)),
    button("×", "cancel", task.task_id, {
      testid: `cancel-${task.task_id}`,
      kind: "quiet.icon",
      name: `Cancel ${task.task_id}`,
    }),
  );
}

/** The place in the list says that something waits for its turn, and the lane why it is held. */
function waitWords({ on, what, until }) {
  const reason = on === "hold" ? "the end of the hold" : h("bdi", {}, inButtons(what));
  const words = [on === "approval" ? "needs " : "waits for ", reason, until && [", until ", time(until)]];
  return h("p.small.muted.wait", { title: inButtons(what) }, words);
}

function taskLink(id, title) {
  const says = h("bdi", {}, title || id);
  return h("button.link", { type: "button", act: "task", arg: id, title: id }, says);
}

function titleOf({ id, payload }) {
  if (Array.isArray(payload?.stocks)) return payload.stocks.join(", ");
  if (!payload?.account) return id;
  return `${payload.remove ? "remove " : ""}account ${payload.account}`;
}

function totals({ counts, queue, estimated_finish: end }) {
  const one = (state, word) =>
    h(
      "div",
      { class: counts[state] ? state : "none" },
      h("dt", {}, word),
      h("dd.number", { "data-count": state }, count(counts[state])),
    );
  return h(
    "dl.totals",
    { "aria-label": `Counts of ${QUEUES[queue].title}` },
    one("queued", "queued"),
    one("completed", "done"),
    one("failed", "failed"),
    one("cancelled", "cancelled"),
    counts.queued + counts.running > 0 &&
      h("div", {}, h("dt", {}, "ends about"), h("dd", {}, end ? time(end) : "unknown")),
  );
}

function allTasks({ queue }) {
  return h(
    "button.quiet.small",
    { type: "button", act: "tasks", arg: queue, "aria-label": `All tasks of ${QUEUES[queue].title}` },
    "All tasks",
  );
}
