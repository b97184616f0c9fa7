// What failed last, why, and the way to try it again.

function drawTroubles({ troubles, status }) {
  byId("troubles-panel").hidden = troubles.length === 0;
  byId("pair").classList.toggle("two", troubles.length > 0);
  const failed = status.queues.reduce((sum, { counts }) => sum + counts.failed, 0);
  render(
    byId("troubles"),
    troubles.map(trouble),
    failed > troubles.length &&
      h(
        "li.small.muted",
        { key: "more" },
        `The newest ${troubles.length} of ${count(failed)}; “All tasks” of a queue shows the others.`,
      ),
  );
}

function trouble(task) {
  return h(
    "li",
    { key: task.task_id, class: task.queue },
    h(
      "div",
      {},
      h(
        "p",
        {},
        taskLink(task.task_id, task.title),
        h("span.small.muted", {}, ` ${task.task_id} · `, time(task.finished_at)),
      ),
      h("p.small.why", { title: task.error }, h("bdi", {}, task.error)),
    ),
    button("Retry", "retry", task.task_id, {
      testid: `retry-${task.task_id}`,
      name: `Retry ${task.task_id}`,
    }),
  );
}
