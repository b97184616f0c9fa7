// What buttons do. Each calls a real tool, waits for its answer, and says what it was.

const atWork = new Set();
const isAtWork = (act, arg) => atWork.has(`${act} ${arg}`);
const HELD_HERE = "Held from the dashboard.";
const SHOW_FOR = 12_000;
let asksToCancel = null;

const ACTS = {
  hold: (queue) => perform("hold", queue, "hold_queue", { queue, reason: HELD_HERE }),
  release: (queue) => perform("release", queue, "release_queue", { queue }),
  retry: (id) => perform("retry", id, "retry_task", { task_id: id }),
  cancel: async (id) => {
    const what =
      "It is stopped, and what waits for it is cancelled. What it stored stays; Retry brings it back.";
    asksToCancel = id;
    const isAgreed = await agreed(`Cancel ${id}?`, what, "Cancel the task", "Keep it");
    asksToCancel = null;
    if (isAgreed) {
      await perform("cancel", id, "cancel_tasks", { task_ids: [id], reason: "from the dashboard" });
    }
  },
  approve: async (queue) => {
    const what =
      "Analyses that were asked for over a day ago start too. Where Claude judges, they spend money.";
    if (await agreed("Let old tasks go?", what, "Let them go", "Let them wait")) {
      await perform("approve", queue, "release_queue", { queue, include_old: true });
    }
  },
  verdict: (stock) => openDrill("verdict", stock),
  task: (id) => openDrill("task", id),
  tasks: (queue) => openDrill("tasks", queue),
  back: goBack,
  close: () => byId("drill").close(),
  answer: (answer) => byId("confirm").close(answer),
  earlier: () => {
    chart.all = !chart.all;
    drawTimeline(view);
  },
  sort: (key) => {
    const isSame = board.sort === key;
    board.isDown = isSame ? !board.isDown : key === "conviction" || key === "as_of";
    board.sort = key;
    drawBoard();
  },
  filter: (action) => {
    board.action = action;
    drawChips(view);
    drawBoard();
  },
  "list-state": (state) => {
    Object.assign(drill.stack.at(-1), { state, pages: 1 });
    drawDrill();
  },
  "list-more": () => {
    drill.stack.at(-1).pages++;
    drawDrill();
  },
  "sign-out": () => {
    sessionStorage.removeItem(TOKEN);
    location.reload(); // nothing of the desk stays in the page
  },
  visit: (url) => link.visit?.(url),
  dismiss: () => say(""),
};

document.addEventListener("click", (event) => {
  const pressed = event.target.closest("[data-act]");
  if (!pressed || pressed.getAttribute("aria-disabled") === "true") return;
  // A row is pressed too when a text in it is selected.
  if (pressed.tagName === "TR" && !getSelection().isCollapsed) return;
  const { act, arg } = pressed.dataset;
  if (act === "visit" && isEmbedded) event.preventDefault(); // a frame may not open it; its host may
  ACTS[act](arg);
});

async function perform(act, arg, tool, args) {
  atWork.add(`${act} ${arg}`);
  redrawAll();
  try {
    const answer = await link.call(tool, args);
    say(answer.message ?? "Done.");
  } catch (error) {
    if (!reportSignIn(error)) say(error.message, "bad");
  } finally {
    atWork.delete(`${act} ${arg}`);
    redrawAll();
    refresh();
  }
}

/** Whether to cancel a task is no question once the task has ended. */
async function withdrawQuestion() {
  const id = asksToCancel;
  if (!id) return;
  try {
    const { state } = (await link.call("get_task", { task_id: id })).task;
    if (asksToCancel !== id || state === "queued" || state === "running") return;
    byId("confirm").close("");
    say(`${id} is ${state} already.`);
  } catch (error) {
    reportTrouble(error);
  }
}

function redrawAll() {
  redraw();
  refreshDrill();
}

let silence;

/** Tell what came of the last action. A trouble stays until it is dismissed. */
function say(words, tone = "") {
  const toast = byId("toast");
  clearTimeout(silence);
  toast.dataset.tone = tone;
  // A modal dialog covers all that is not in it.
  (document.querySelector("dialog:modal") ?? document.body).append(toast);
  render(
    toast,
    words && [
      h("span", { key: "words" }, h("bdi", {}, inButtons(words))),
      h("button.quiet", { key: "dismiss", type: "button", act: "dismiss", "aria-label": "Dismiss" }, "×"),
    ],
  );
  if (words) intoSight(toast, { atEnd: true });
  if (words && tone !== "bad") silence = setTimeout(() => say(""), SHOW_FOR);
}
