// How moments, spans and numbers are written. What is not known is a dash, never a zero.

const UNKNOWN = "–";
const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
// The host of an app may know better where its person is than this frame does.
const place = { locale: undefined, timeZone: undefined };
let formats = {};

function settle({ locale, timeZone }) {
  try {
    new Intl.DateTimeFormat(locale ?? place.locale, { timeZone: timeZone ?? place.timeZone });
  } catch {
    return; // a zone or language that this browser does not know
  }
  Object.assign(place, locale && { locale }, timeZone && { timeZone });
  formats = {};
}

function written(moment, name, options) {
  formats[name] ??= new Intl.DateTimeFormat(place.locale, { ...options, timeZone: place.timeZone });
  return formats[name].format(moment);
}

const hourAndMinute = (moment) =>
  written(moment, "time", { hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
const withSeconds = (moment) =>
  written(moment, "seconds", { hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" });
const dayAndMonth = (moment) => written(moment, "day", { day: "numeric", month: "short" });
const dayOf = (moment) => written(moment, "whole", { day: "numeric", month: "short", year: "numeric" });

/** How far Greenwich is ahead of the viewer at that moment. */
function behindGreenwich(moment) {
  // The one common format that can be read again.
  const wall = new Date(moment).toLocaleString("sv-SE", { timeZone: place.timeZone });
  return moment - (moment % 1000) - Date.parse(`${wall.replace(" ", "T")}Z`);
}

/** The hour, with the day where that is not today: "14:05", "3 Nov 14:05". */
function spoken(moment) {
  const isToday = dayOf(moment) === dayOf(serverNow());
  return isToday ? hourAndMinute(moment) : `${dayAndMonth(moment)} ${hourAndMinute(moment)}`;
}

function utc(moment) {
  return `${new Date(moment).toISOString().replace("T", " ").slice(0, 19)} UTC`;
}

/** A `<time>` in the viewer's zone, which tells the UTC moment when asked. */
function time(moment, write = spoken) {
  if (!moment) return UNKNOWN;
  const at = Date.parse(moment);
  return h("time", { datetime: moment, title: utc(at) }, write(at));
}

/** How long ago, or how long until: "42 s", "3 min 05 s", "2 h 10 min", "4 d". */
function span(milliseconds) {
  const whole = Math.max(0, milliseconds);
  if (whole < 1000) return `${Math.round(whole)} ms`;
  if (whole < MINUTE) return `${Math.floor(whole / 1000)} s`;
  const two = (number) => String(Math.floor(number)).padStart(2, "0");
  if (whole < HOUR) return `${Math.floor(whole / MINUTE)} min ${two((whole % MINUTE) / 1000)} s`;
  if (whole < DAY) return `${Math.floor(whole / HOUR)} h ${two((whole % HOUR) / MINUTE)} min`;
  return `${Math.floor(whole / DAY)} d`;
}

/** A span since `moment` that counts by itself; see `tick`. */
function elapsed(moment) {
  return h("span.number", { "data-since": moment }, sinceThen(moment));
}

const sinceThen = (moment) => span(Math.max(1000, serverNow() - Date.parse(moment)));

function tick() {
  for (const element of document.querySelectorAll("[data-since]")) {
    const text = sinceThen(element.dataset.since);
    if (element.textContent !== text) element.textContent = text;
  }
}

/** How old a date is on the desk's day: "today", "5 d", "7 mo", "3.9 y". */
function age(date) {
  const days = Math.floor((Date.parse(view.day) - Date.parse(date)) / DAY);
  if (days <= 0) return "today";
  if (days < 100) return `${days} d`;
  return days < 730 ? `${Math.round(days / 30.4)} mo` : `${(days / 365.25).toFixed(1)} y`;
}

const dollars = (amount) => (amount === null || amount === undefined ? UNKNOWN : `$${amount.toFixed(2)}`);
const count = (number) =>
  number === null || number === undefined ? UNKNOWN : number.toLocaleString("en-US");
const plural = (number, word) => `${count(number)} ${word}${number === 1 ? "" : "s"}`;

/** As stored: no digit is rounded away. */
function exact(value) {
  if (value === null || value === undefined) return UNKNOWN;
  return Math.abs(value) >= 1e15
    ? String(value)
    : value.toLocaleString("en-US", { maximumFractionDigits: 20 });
}

// Of the desk, not of this machine, whose clock may be off.
let clockAhead = 0;
const serverNow = () => Date.now() + clockAhead;

const BUTTONS = {
  list_tasks: "All tasks",
  hold_queue: "Hold",
  release_queue: "Release",
  cancel_tasks: "Cancel",
  retry_task: "Retry",
};
// A hold's reason may say what to call beside what to run, and stays.
const TOOL =
  /(?:call )?\b(?:cancel|clear|delete|enqueue|find|get|hold|list|release|remove|retry|set|show)_[a-z_]+\b(?:\([^)]*\)| with include_old)?|\binclude_old=true/g;

/** A sentence of the desk names tools, for models: here it names the buttons; a tool that has none is Claude's. */
function inButtons(sentence) {
  return sentence.replace(TOOL, (tool) => {
    if (tool.startsWith("call ")) return tool;
    const does = tool.includes("include_old") ? "Let them go" : BUTTONS[tool.replace(/\W.*/, "")];
    return does ? `“${does}”` : `Claude's ${tool}`;
  });
}
