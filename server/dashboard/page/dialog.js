// The drill-down: a stack of pages in one dialog. Closing it gives focus back to what opened it.

const drill = { stack: [], opener: null, turn: 0 };

// Each gives `{ title, body }` of what it is asked for.
const PAGES = { verdict: verdictPage, task: taskPage, tasks: tasksPage };

function openDrill(kind, arg) {
  const dialog = byId("drill");
  if (!dialog.open) {
    drill.opener = document.activeElement;
    render(byId("drill-body"));
    dialog.showModal();
  }
  drill.stack.push({ kind, arg });
  drawDrill({ isNew: true });
}

async function drawDrill({ isNew = false } = {}) {
  const page = drill.stack.at(-1);
  if (!page) return;
  const turn = ++drill.turn;
  const title = byId("drill-title");
  byId("drill-back").hidden = drill.stack.length < 2;
  if (isNew) {
    render(title, page.arg);
    render(byId("drill-body"), h("p.muted", { key: "loading", role: "status" }, "Loading…"));
    intoSight(byId("drill"));
    title.focus({ preventScroll: true });
  }
  let made;
  try {
    made = await PAGES[page.kind](page);
  } catch (error) {
    made = { title: page.arg, body: h("p.error", { key: "error", role: "alert" }, inButtons(error.message)) };
  }
  if (turn !== drill.turn || !byId("drill").open) return;
  render(title, made.title);
  render(byId("drill-body"), made.body);
  if (isNew) byId("drill-body").scrollTop = 0;
  if (isNew) intoSight(byId("drill"));
}

/** What a task shows changes with the desk; a verdict that is being read does not. */
function refreshDrill() {
  if (byId("drill").open && drill.stack.at(-1)?.kind !== "verdict") drawDrill();
}

function goBack() {
  drill.stack.pop();
  drawDrill({ isNew: true });
}

/** Redrawn meanwhile, the opener may be another element that does the same. */
function giveFocusBack(opener) {
  const { act, arg } = opener?.dataset ?? {};
  const same = act && `[data-act="${act}"][data-arg="${CSS.escape(arg ?? "")}"]:is(button)`;
  (opener?.isConnected ? opener : same && document.querySelector(same))?.focus();
}

byId("drill").addEventListener("close", () => {
  drill.stack = [];
  drill.turn++;
  giveFocusBack(drill.opener);
});
byId("drill").addEventListener("pointerdown", ({ target, currentTarget }) => {
  // What is beside the dialog belongs to it too.
  if (target === currentTarget) currentTarget.close();
});
for (const dialog of document.querySelectorAll("dialog")) {
  dialog.addEventListener("close", () => document.body.append(byId("toast")));
}

/**
 * In a frame as tall as its page, what is fixed to the frame may be far out of sight: put it where one looks.
 * Only what the browser says of an intersection tells where that is, for it looks through all frames.
 */
function intoSight(box, { atEnd = false } = {}) {
  if (!isEmbedded) return;
  const eye = new IntersectionObserver(([{ intersectionRect: seen }]) => {
    eye.disconnect();
    if (seen.height < 100) return;
    box.style.setProperty("max-height", `${seen.height - 16}px`);
    const room = Math.max(8, seen.height - box.offsetHeight - 8);
    box.style.setProperty("inset-block", `${seen.top + (atEnd ? room : room / 2)}px auto`);
    box.style.setProperty("margin-block", "0");
  });
  eye.observe(document.documentElement);
}

/** Ask before something is lost; true if the person agrees. */
function agreed(title, what, yes, no) {
  const dialog = byId("confirm");
  const asker = document.activeElement;
  render(byId("confirm-title"), title);
  render(byId("confirm-what"), what);
  render(byId("confirm-yes"), yes);
  render(byId("confirm-no"), no);
  dialog.returnValue = "";
  dialog.showModal();
  intoSight(dialog);
  return new Promise((resolve) => {
    dialog.addEventListener(
      "close",
      () => {
        giveFocusBack(asker);
        resolve(dialog.returnValue === "yes");
      },
      { once: true },
    );
  });
}
