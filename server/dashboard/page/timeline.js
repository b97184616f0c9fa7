// What ran when: three rows on one time axis. Place and width are exact; a stroke keeps short attempts visible.

const STEPS = [
  ...[50, 100, 200, 500],
  ...[1, 2, 5, 10, 15, 30].map((seconds) => seconds * 1000),
  ...[1, 2, 5, 10, 15, 30].map((minutes) => minutes * MINUTE),
  ...[1, 2, 3, 6, 12].map((hours) => hours * HOUR),
  ...[1, 2, 7, 14, 30].map((days) => days * DAY),
];
// A desk that rested this long has begun something new; what was before would only squeeze it.
const REST = 30 * MINUTE;
const ROW = 46;
const BAR = 18;
const AXIS = 22;
const RIGHT = 14;
const LABELS = 112;
const NARROW = 600;
const PER_TICK = 88;
const chart = { all: false, now: 0 };

function drawTimeline({ recent }) {
  chart.now = serverNow(); // one for all that still runs
  const bars = [...recent].sort((one, other) => Date.parse(one.started_at) - Date.parse(other.started_at));
  const first = chart.all ? 0 : afterLastRest(bars);
  const shown = bars.slice(first);
  const box = byId("timeline-box");
  if (shown.length === 0) {
    render(box, h("p.empty", { key: "none" }, "Nothing has run yet."));
    render(byId("timeline-tools"));
  } else {
    const axis = axisOf(shown, box.clientWidth || 600);
    render(box, drawing(shown, axis));
    render(byId("timeline-tools"), h("span.small.muted", {}, axis.words), earlierButton(first));
  }
  byId("timeline-legend").hidden = byId("timeline-list").parentElement.hidden = shown.length === 0;
  if (byId("timeline-list").parentElement.open) render(byId("timeline-list"), attemptList(shown));
}

function afterLastRest(bars) {
  let first = 0;
  let latest = -Infinity;
  bars.forEach((each, index) => {
    if (Date.parse(each.started_at) - latest > REST) first = index;
    latest = Math.max(latest, endOf(each));
  });
  return first;
}

const endOf = (each) => (each.ended_at ? Date.parse(each.ended_at) : chart.now);

function earlierButton(hidden) {
  if (hidden > 0)
    return h("button.quiet.small", { type: "button", act: "earlier" }, `Show ${hidden} earlier`);
  return chart.all && h("button.quiet.small", { type: "button", act: "earlier" }, "Latest only");
}

function axisOf(shown, width) {
  const start = Date.parse(shown[0].started_at);
  const end = Math.max(...shown.map(endOf), start + 1);
  const left = width < NARROW ? 0 : LABELS;
  const inner = Math.max(1, width - left - RIGHT);
  const x = (moment) => left + ((moment - start) / (end - start)) * inner;
  const days = dayOf(start) === dayOf(end) ? "" : `${dayOf(end)}, `;
  const period = `${dayOf(start)}, ${withSeconds(start)} to ${days}${withSeconds(end)}`;
  return { start, end, left, width, inner, x, words: `${period} · ${span(end - start)}` };
}

function drawing(shown, axis) {
  const names = Object.keys(QUEUES);
  const height = names.length * ROW + AXIS;
  const says = `Timeline of ${plural(shown.length, "attempt")}, ${axis.words}. The list below says the same.`;
  return svg(
    "svg.timeline",
    {
      key: "drawing",
      testid: "timeline",
      role: "img",
      "aria-label": says,
      width: axis.width,
      height,
      viewBox: `0 0 ${axis.width} ${height}`,
    },
    ticks(axis, height),
    names.map((name, index) => row(name, index, shown, axis)),
  );
}

function ticks({ start, end, inner, x, left, width }, height) {
  const step = STEPS.find((each) => ((end - start) / each) * PER_TICK <= inner) ?? end - start;
  // Whole hours and days of the viewer, not of Greenwich.
  const shift = behindGreenwich(start);
  const made = [];
  for (let at = Math.ceil((start - shift) / step) * step + shift; at <= end; at += step) {
    const place = x(at);
    made.push(svg("line.grid", { x1: place, x2: place, y1: 0, y2: height - AXIS }));
    const isCut = place < left + 24 || place > width - 26;
    if (!isCut)
      made.push(svg("text.tick", { x: place, y: height - 6, "text-anchor": "middle" }, tickWords(at, step)));
  }
  return svg("g", {}, made);
}

function tickWords(at, step) {
  if (step >= 12 * HOUR) return dayAndMonth(at);
  if (step >= MINUTE) return hourAndMinute(at);
  return step >= 1000
    ? withSeconds(at)
    : withSeconds(at) + (at % 1000 ? `.${String(at % 1000).padStart(3, "0")}` : "");
}

function row(name, index, shown, axis) {
  const top = index * ROW;
  const y = axis.left ? top + (ROW - BAR) / 2 : top + 25;
  const label = axis.left ? { x: 0, y: top + ROW / 2 + 4 } : { x: 0, y: top + 12 };
  const own = shown.filter((each) => each.queue === name);
  return svg(
    `g.${name}`,
    { key: name },
    svg("rect.track", { x: axis.left, y, width: axis.inner, height: BAR, rx: 3 }),
    svg("text.row-label", label, QUEUES[name].title),
    own.map((each, place) => attemptBar(each, place, y, axis)),
  );
}

function attemptBar(each, place, y, axis) {
  const x = axis.x(Date.parse(each.started_at));
  const width = axis.x(endOf(each)) - x;
  const kind =
    { completed: "completed", failed: "failed", running: "runs" }[each.outcome ?? "running"] ?? "other";
  const classes = ["attempt", kind, width < 4 && "thin", place % 2 && "odd"].filter(Boolean).join(" ");
  return svg(
    "g",
    { key: `${each.task_id} ${each.started_at}`, act: "task", arg: each.task_id },
    svg(
      "rect",
      {
        class: classes,
        x,
        y,
        width,
        height: BAR,
        rx: width < 4 ? 0 : 2,
        "data-task": each.task_id,
        "data-queue": each.queue,
        "data-start": each.started_at,
        "data-end": each.ended_at ?? "",
        "data-outcome": each.outcome ?? "",
      },
      svg("title", {}, attemptWords(each)),
    ),
    kind === "failed" && svg("path.cross", { d: `M${x + width / 2 - 3.5},${y - 9} l7,7 m0,-7 l-7,7` }),
    kind === "runs" &&
      svg("path.open-end", { d: `M${x + width + 3},${y + 3} l5,${BAR / 2 - 3} l-5,${BAR / 2 - 3}` }),
  );
}

function attemptWords(each) {
  const start = Date.parse(each.started_at);
  const took = span(endOf(each) - start);
  const ending = each.ended_at
    ? `to ${withSeconds(Date.parse(each.ended_at))} (${took}): ${each.outcome}`
    : `runs for ${took}`;
  return `${each.task_id}: ${each.title}\n${withSeconds(start)} ${ending}`;
}

function attemptList(shown) {
  const heads = ["Started", "Queue", "Task", "Took", "Ended as"];
  return h(
    "table",
    { key: "list" },
    h(
      "thead",
      {},
      h(
        "tr",
        {},
        heads.map((head) => h(`th${head === "Took" ? ".number" : ""}`, { scope: "col" }, head)),
      ),
    ),
    h("tbody", {}, [...shown].reverse().map(attemptRow)),
  );
}

function attemptRow(each) {
  return h(
    "tr",
    { key: `${each.task_id} ${each.started_at}` },
    h("td", {}, time(each.started_at, withSeconds)),
    h("td", {}, QUEUES[each.queue].title),
    h("td", {}, taskLink(each.task_id, `${each.task_id}: ${each.title}`)),
    h(
      "td.number",
      {},
      each.ended_at ? span(endOf(each) - Date.parse(each.started_at)) : elapsed(each.started_at),
    ),
    h("td", {}, each.outcome ?? "runs"),
  );
}
