// Who runs the queues, who judges, what is spent; and how fresh all of this is.

const STATES = {
  "signed-out": "not signed in",
  starting: "connecting",
  live: "live",
  polling: "polling",
  lost: "connection lost",
};

function showConnection(state, pause) {
  const shown = byId("connection");
  shown.dataset.state = state;
  const trying = pause ? `, trying again in ${Math.round(pause / 1000)} s` : "";
  render(shown, `${STATES[state]}${trying}`);
}

function drawHeader({ status }) {
  const facts = byId("facts");
  facts.hidden = false;
  render(
    facts,
    fact("Leader", "leader", leaderWords(status.leader)),
    fact("Analyst", "analyst", status.analyst === "claude" ? "Claude" : "baseline rules"),
    fact("Spent today", "budget", budget(status.today)),
  );
}

function fact(name, testid, ...value) {
  return h("div", { key: testid }, h("dt", {}, name), h("dd", { testid }, value));
}

function leaderWords(leader) {
  if (!leader) return h("span.warn", {}, "nobody runs the queues");
  const who = h(
    "span",
    { title: `since ${utc(Date.parse(leader.since))}` },
    leader.command,
    ` (pid ${leader.pid})`,
  );
  if (!leader.leads) return [who, h("span.bad", {}, " has ended")];
  if (leader.responds === false) return [who, h("span.bad", {}, " does not answer")];
  return [who, leader.is_this_process && h("span.muted", {}, " this server")];
}

function budget(today) {
  const { spent_usd: spent, at_most_usd: most, budget_usd: whole, left_usd: left } = today;
  const unsure = most > spent ? `, at most ${dollars(most)}` : "";
  const share = (amount) => (whole > 0 ? amount / whole : 0);
  return [
    h(
      `span.number${left > 0 ? "" : ".warn"}`,
      {},
      dollars(spent),
      h("span.muted", {}, ` of ${dollars(whole)}${unsure}`),
    ),
    h(
      "span.meter",
      {
        role: "meter",
        "aria-label": "Spent of today's budget",
        "aria-valuemin": 0,
        "aria-valuemax": whole,
        "aria-valuenow": Math.min(spent, whole),
        "aria-valuetext": today.message,
        title: today.message,
      },
      bar([share(spent), "full"], [share(most - spent), "unsure"]),
    ),
  ];
}
