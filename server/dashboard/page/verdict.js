// From a verdict to its evidence, from there to each fact and its source; and how it came about.

async function verdictPage({ arg: stock }) {
  const { verdicts, disclaimer } = await link.call("get_verdicts", { symbols: [stock], full: true });
  const verdict = verdicts[0];
  if (!verdict) return { title: stock, body: h("p.muted", {}, `There is no verdict of ${stock} yet.`) };
  return { title: stock, body: verdictBody(verdict, disclaimer) };
}

function verdictBody(verdict, disclaimer) {
  const { detail } = verdict;
  const stored = storedLines(detail.audit.inputs);
  return [
    verdictHead(verdict),
    h("p.lead", {}, h("bdi", {}, verdict.thesis)),
    part(
      "Evidence",
      detail.evidence.length > 0 &&
        h(
          "div.evidence",
          {},
          detail.evidence.map((each, index) => evidence(each, index, stored)),
        ),
    ),
    h(
      "div.columns",
      {},
      part("For", points(detail.bull_points)),
      part("Against", points(detail.bear_points)),
    ),
    h(
      "div.columns",
      {},
      part("Risks", points(detail.risks)),
      part("What would change this view", points(detail.would_change_view)),
    ),
    part("Catalysts", points(detail.catalysts)),
    part("What changed", changes(detail.audit)),
    part("Data", points(detail.data_quality)),
    part("How it was made", provenance(verdict)),
    h("p.small.muted", {}, disclaimer),
  ];
}

function verdictHead(verdict) {
  const horizon = verdict.horizon_months === null ? null : `over ${plural(verdict.horizon_months, "month")}`;
  const renewed = verdict.created_at !== verdict.judged_at && [
    ", renewed unchanged ",
    time(verdict.created_at),
  ];
  return h(
    "div.verdict-head",
    {},
    badge(verdict.action),
    h("span.number", {}, "conviction ", h("b", {}, convictionOf(verdict))),
    horizon && h("span.muted", {}, horizon),
    h(
      "span.muted",
      {},
      "judged by ",
      verdict.analyst === "claude" ? "Claude" : verdict.analyst,
      " ",
      time(verdict.judged_at),
      renewed,
    ),
    h("span.muted", {}, "data of ", verdict.as_of ?? UNKNOWN),
    verdict.reason && h("span.warn", {}, verdict.reason.replaceAll("_", " ")),
  );
}

function part(title, content) {
  return content && h("section", {}, h("h3", {}, title), content);
}

function points(texts) {
  return (
    texts.length > 0 &&
    h(
      "ul.points",
      {},
      texts.map((text) => h("li", {}, h("bdi", {}, text))),
    )
  );
}

/** What the analyst was given, by the id that begins each line. */
function storedLines(lines) {
  return new Map(lines.map((line) => [line.split(" ", 1)[0], line]));
}

function evidence(each, index, stored) {
  const other = each.other_fact_id;
  return h(
    "details",
    { testid: `evidence-${index}`, key: `evidence-${index}` },
    h(
      "summary",
      {},
      h("span.claim", {}, h("bdi", {}, each.claim)),
      h("span.value.number", { "data-value": each.value }, amount(each.value, each.unit)),
    ),
    facts(`fact-${each.fact_id}`, [
      ["Fact", [h("bdi", {}, each.fact), " ", h("span.id", {}, each.fact_id)]],
      other && ["Derived", `${each.operation.replaceAll("_", " ")} of ${each.fact_id} and ${other}`],
      ["Value", amount(each.value, each.unit)],
      ["As of", h("time", { datetime: each.as_of }, each.as_of)],
      ["Source", linked(each.source)],
      ["Inputs", linked(each.inputs)],
      stored.has(each.fact_id) && ["As stored", h("bdi", {}, stored.get(each.fact_id))],
      other && stored.has(other) && ["Second fact", h("bdi", {}, stored.get(other))],
    ]),
  );
}

function facts(testid, rows) {
  const known = rows.filter((row) => row && row[1] !== null && row[1] !== undefined && row[1] !== "");
  return h(
    "dl.rows",
    { testid },
    known.map(([name, value]) => h("div", {}, h("dt", {}, name), h("dd", {}, value))),
  );
}

const amount = (value, unit) => `${exact(value)} ${unit}`;

/** A text that is an address leads there; any other is text. */
function linked(text) {
  if (!text) return null;
  if (!/^https?:\/\/\S+$/i.test(text)) return h("bdi", {}, text);
  return h("a", { href: text, target: "_blank", rel: "noopener noreferrer", act: "visit", arg: text }, text);
}

function changes({ previous, changes: words }) {
  if (!previous) return null;
  return [
    h(
      "p.muted",
      {},
      "Before: ",
      badge(previous.action),
      " conviction ",
      h("b", {}, convictionOf(previous)),
      ", ",
      time(previous.judged_at),
    ),
    points(words) || h("p", {}, "Nothing of weight."),
  ];
}

function provenance({ task_id: task, analyst, detail: { audit } }) {
  const { session } = audit;
  const cost =
    session &&
    (session.cost_usd === null
      ? UNKNOWN
      : `${session.at_least ? "at least " : ""}${dollars(session.cost_usd)}`);
  return [
    facts("session", [
      ["Task", taskLink(task, task)],
      ...(session
        ? [
            ["Model", h("bdi", {}, session.model)],
            ["Prompt", session.prompt_version],
            ["Session", h("span.id", {}, session.session_id)],
            ["Stocks", session.stocks.join(", ")],
            ["Turns", count(session.turns)],
            ["Tokens", `${count(session.input_tokens)} in, ${count(session.output_tokens)} out`],
            ["Cost", `${cost} for the whole session`],
          ]
        : [["Session", analyst === "claude" ? "unknown" : "none; no Claude session was paid for it"]]),
      audit.inputs_hash && ["Inputs", h("span.id", {}, audit.inputs_hash)],
    ]),
    folded(`${plural(audit.refusals.length, "submission")} refused before`, audit.refusals),
    folded(`All ${count(audit.inputs.length)} inputs`, audit.inputs),
  ];
}

function folded(title, texts) {
  return (
    texts.length > 0 &&
    h(
      "details",
      { key: title },
      h("summary", {}, title),
      h(
        "ul.lines",
        {},
        texts.map((text) => h("li", {}, h("bdi", {}, text))),
      ),
    )
  );
}
