// Elements, and how what is shown becomes what is wanted without losing focus, selection or scroll.

const SVG = "http://www.w3.org/2000/svg";
const SHORT = { testid: "data-testid", act: "data-act", arg: "data-arg", key: "data-key" };
// Control and direction characters would let a foreign text rearrange or hide what stands beside it.
const UNSEEN = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u200e\u200f\u202a-\u202e\u2066-\u2069]/g;

const byId = (id) => document.getElementById(id);

/** Any text as a person can see it; whatever it holds stays text. */
function plain(text) {
  return String(text).replace(UNSEEN, "\ufffd");
}

/** An element: `h("td.number", { title }, "5")`, without attributes that are false, null or undefined. */
function h(selector, attributes, ...children) {
  const [tag, ...classes] = selector.split(".");
  return filled(document.createElement(tag), classes, attributes, children);
}

/** The same for SVG, whose size and place are attributes: a strict policy allows them, but no styles in markup. */
function svg(selector, attributes, ...children) {
  const [tag, ...classes] = selector.split(".");
  return filled(document.createElementNS(SVG, tag), classes, attributes, children);
}

function filled(element, classes, attributes, children) {
  if (classes.length) element.setAttribute("class", classes.join(" "));
  for (const [name, value] of Object.entries(attributes ?? {})) {
    if (value === false || value === null || value === undefined) continue;
    element.setAttribute(SHORT[name] ?? name, value === true ? "" : plain(value));
  }
  add(element, children);
  return element;
}

function add(element, children) {
  for (const child of children) {
    if (child === null || child === undefined || child === false || child === "") continue;
    if (Array.isArray(child)) add(element, child);
    else element.append(child instanceof Node ? child : plain(child));
  }
}

/** Make the content of `shown` that of `children`, changing only what differs. */
function render(shown, ...children) {
  const wanted = document.createDocumentFragment();
  add(wanted, children);
  keepingFocus(() => patchChildren(shown, wanted));
}

/** Moving an element takes its focus away: give it back, or to what is around an element that has gone. */
function keepingFocus(change) {
  const focused = document.activeElement;
  const around = [];
  for (let each = focused?.parentElement; each && each !== document.body; each = each.parentElement)
    around.push(each);
  change();
  if (!focused || focused === document.activeElement || focused === document.body) return;
  const left = focused.isConnected
    ? focused
    : around.find((each) => each.isConnected)?.querySelector("button");
  left?.focus({ preventScroll: true });
}

function patch(shown, wanted) {
  if (shown.nodeType === Node.TEXT_NODE) {
    if (shown.data !== wanted.data) shown.data = wanted.data;
    return;
  }
  for (const { name } of [...shown.attributes]) {
    // What a person has opened stays open.
    const isTheirs = name === "open" && shown.tagName === "DETAILS";
    if (!wanted.hasAttribute(name) && !isTheirs) shown.removeAttribute(name);
  }
  for (const { name, value } of wanted.attributes) {
    if (shown.getAttribute(name) !== value) shown.setAttribute(name, value);
  }
  patchChildren(shown, wanted);
}

function patchChildren(shown, wanted) {
  const keys = new Set();
  for (const child of wanted.children) if (child.dataset.key) keys.add(child.dataset.key);
  const kept = new Map();
  for (const child of [...shown.children]) {
    const { key } = child.dataset;
    if (!key) continue;
    // First of all, so that what stays need not move.
    if (keys.has(key)) kept.set(key, child);
    else child.remove();
  }
  let at = shown.firstChild;
  for (const child of [...wanted.childNodes]) {
    const key = child.dataset?.key;
    const found = key ? kept.get(key) : at && !at.dataset?.key ? at : null;
    if (found && found.nodeName === child.nodeName) {
      if (found === at) at = at.nextSibling;
      else shown.insertBefore(found, at);
      patch(found, child);
    } else {
      shown.insertBefore(child, at);
    }
  }
  while (at) {
    const next = at.nextSibling;
    at.remove();
    at = next;
  }
}

/** A horizontal bar of `parts`, each `[share of 1, class]`, from the left; for the eye alone. */
function bar(...parts) {
  let x = 0;
  const rects = parts.map(([share, name]) => {
    const width = Math.max(0, Math.min(1 - x, share)) * 100;
    const rect = svg("rect", { class: name, x: x * 100, y: 0, width, height: 1 });
    x += width / 100;
    return rect;
  });
  return svg("svg.bar", { viewBox: "0 0 100 1", preserveAspectRatio: "none", "aria-hidden": "true" }, rects);
}

/** A button that does `act` of the actions with `arg`. While that is at work it is disabled, but keeps focus. */
function button(label, act, arg, { testid, kind, name, busy } = {}) {
  const isBusy = busy ?? isAtWork(act, arg);
  const attributes = {
    type: "button",
    act,
    arg,
    testid,
    "aria-label": name,
    "aria-disabled": isBusy && "true",
  };
  return h(`button${kind ? `.${kind}` : ""}`, attributes, label);
}
