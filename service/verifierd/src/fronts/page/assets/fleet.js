// The fleet: filtered, searched and sorted by the verifier, a hundred machines at a time.

import { ask, part } from "./api.js";
import { empty, failed, fill, find, h, newest, settled, skeleton } from "./dom.js";
import { badge, count, digest, mark, tcb, time, why } from "./words.js";

const PAGE = 100;
const STATES = ["all", "failed", "unreachable", "stale", "unknown", "healthy"];
const COLUMNS = [
  ["state", "State"], ["machine", "Machine"], ["measurement", "Launch measurement"], ["platform", "TCB"],
  ["evidence", "Last evidence"], ["", "Reason"],
];

// What was looked for is still there when one comes back from a machine.
const wanted = { search: "", state: "all", sort: "state", descending: 0, offset: 0 };

/** Shows the fleet; returns what to do with events. */
export function fleet(place) {
  document.title = "Fleet · evtpm";
  const chips = h("div", { class: "chips", role: "group", "aria-label": "Machines by state" });
  const table = h("div", { class: "table", id: "fleet" }, skeleton(10));
  const pager = h("nav", { class: "pager", "aria-label": "Pages" });
  const search = h("input", {
    type: "search", id: "search", value: wanted.search, placeholder: "Name, measurement, policy or reason",
    "aria-label": "Search machines", spellcheck: "false", autocomplete: "off",
    oninput: settled(() => load({ search: search.value.trim(), offset: 0 })),
  });
  fill(place, h("div", { class: "head" }, h("h1", {}, "Fleet"), search), chips, table, pager);

  async function load(change = {}) {
    Object.assign(wanted, change);
    table.setAttribute("aria-busy", "true");
    try {
      const { state, ...query } = wanted;
      draw(await newest(table, ask("/fleet", { ...query, state: state === "all" ? "" : state, limit: PAGE })));
    } catch (error) {
      fill(table, failed(error, () => load()));
    }
    table.setAttribute("aria-busy", "false");
  }

  function draw({ states, matching, machines }) {
    const focused = document.activeElement?.id;
    fill(chips, STATES.map((state) => h("button", {
      type: "button", class: "chip", id: `chip-${state}`, "aria-pressed": String(wanted.state === state),
      onclick: () => load({ state, offset: 0 }),
    }, state !== "all" && mark(state), state[0].toUpperCase() + state.slice(1), h("b", {}, count(states[state])))));
    if (states.all === 0) {
      fill(table, empty("No machine yet", "A machine appears here when it registers, or when you add it.",
        h("pre", {}, "evtpm-agent --verifier URL --ca ca.pem --machine vm-1\nevtpm machine add vm-1")));
    } else if (machines.length === 0) {
      fill(table, empty("No machine is like that", "Nothing matches the search and the state.",
        h("button", { type: "button", onclick: () => { search.value = ""; load({ search: "", state: "all", offset: 0 }); } },
          "Show all")));
    } else {
      fill(table, h("table", { class: "fleet" },
        h("caption", { class: "unseen" }, `${count(matching)} machines`),
        h("thead", {}, h("tr", {}, COLUMNS.map(column))), h("tbody", {}, machines.map(row))));
    }
    pages(matching, machines.length);
    if (focused) document.getElementById(focused)?.focus({ preventScroll: true });
  }

  function column([sort, title]) {
    if (!sort) return h("th", { scope: "col" }, title);
    const isIt = wanted.sort === sort;
    const direction = isIt ? (wanted.descending ? "descending" : "ascending") : "none";
    const next = { sort, descending: isIt ? 1 - wanted.descending : 0, offset: 0 };
    return h("th", { scope: "col", "aria-sort": direction },
      h("button", { type: "button", class: "sort", id: `sort-${sort}`, onclick: () => load(next) }, title));
  }

  function pages(matching, here) {
    const { offset } = wanted;
    const step = (to, text, allowed) =>
      h("button", { type: "button", disabled: !allowed, onclick: () => { load({ offset: to }); window.scrollTo(0, 0); } }, text);
    fill(pager, matching > PAGE && [
      step(Math.max(0, offset - PAGE), "Previous", offset > 0),
      h("span", {}, `${count(offset + 1)} to ${count(offset + here)} of ${count(matching)}`),
      step(offset + PAGE, "Next", offset + here < matching),
    ]);
  }

  load();
  const again = settled(() => load(), 300);
  return () => { if (find("#fleet")) again(); };
}

function row(machine) {
  const worst = machine.findings[0];
  const cell = (label, ...children) => h("td", { "data-label": label }, children);
  return h("tr", { "data-machine": machine.machine },
    cell("State", badge(machine.state), machine.clone_alarm && badge("bad", "clone alarm")),
    cell("Machine", h("a", { href: `#/machines/${part(machine.machine)}` }, machine.machine),
      h("small", {}, machine.protocol ? "Keylime agent" : machine.policy ? `policy ${machine.policy}` : "default policy")),
    cell("Launch measurement", digest(machine.measurement)),
    cell("TCB", tcb(machine.platform)),
    cell("Last evidence", time(machine.last_verdict_at)),
    cell("Reason", h("span", { class: "reason", title: worst ? why(worst) : false }, worst ? why(worst) : plain(machine))));
}

function plain(machine) {
  if (machine.boots === 0) return "It has not registered yet.";
  return machine.last_verdict ? "Nothing is held against it." : "Nothing was judged since it booted.";
}
