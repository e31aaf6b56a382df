// Keys that the broker gives out, and the leases under which machines have them.

import { ask, part, say } from "./api.js";
import { empty, failed, fill, find, h, newest, settled, skeleton, toast } from "./dom.js";
import { badge, count, time } from "./words.js";

const cell = (label, ...children) => h("td", { "data-label": label }, children);
const table = (name, caption, columns, rows) => h("table", { class: name },
  h("caption", { class: "unseen" }, caption),
  h("thead", {}, h("tr", {}, columns.map((title) => h("th", { scope: "col" }, title)))), h("tbody", {}, rows));

/** Shows all keys and all leases; returns what to do with events. */
export function keys(place, session) {
  document.title = "Keys · evtpm";
  const named = h("div", { class: "table", id: "keys" }, skeleton(3));
  const given = h("div", { class: "table" }, skeleton(5));
  fill(place, h("div", { class: "head" }, h("h1", {}, "Keys")), named, h("h2", { class: "second" }, "Leases"), given);
  list(named);
  const again = leases(given, null, session);
  const soon = settled(() => { list(named); again(); }, 300);
  return () => { if (find("#keys")) soon(); };
}

async function list(place) {
  try {
    const found = await newest(place, ask("/keys"));
    if (found.length === 0) {
      fill(place, empty("No key yet", "A named key is wrapped for the TPM of each machine that may have it, as long as it is healthy.",
        h("pre", {}, "evtpm key add disk --machine vm-1")));
      return;
    }
    const whom = ({ machines = [], policies = [] }) =>
      [...machines, ...policies.map((policy) => `all with policy ${policy}`)].join(", ") || "nobody";
    fill(place, table("keys", "Named keys", ["Key", "Kind", "For", "Made", "Live leases"], found.map((key) => h("tr", {},
      cell("Key", h("b", {}, key.key)), cell("Kind", key.kind.toUpperCase()), cell("For", whom(key.grants)),
      cell("Made", time(key.created_at)), cell("Live leases", count(key.leases))))));
  } catch (error) {
    fill(place, failed(error, () => list(place)));
  }
}

/** Shows leases, of one machine if it is named; returns how to look again. */
export function leases(place, machine, session) {
  const may = session.roles.includes("operate");
  const path = machine ? `/machines/${part(machine)}/leases` : "/leases";

  async function load() {
    try {
      const found = await newest(place, ask(path));
      if (found.length === 0) {
        fill(place, empty("No lease", "A lease begins when a healthy machine is given a key, and ends when it fails."));
        return;
      }
      const order = (a, b) => (a.ended_at ?? Infinity) < (b.ended_at ?? Infinity) ? 1 : b.last_release - a.last_release;
      fill(place, table("leases", "Leases, live ones first", ["State", "Key", "Machine", "Boot", "Last release", "Releases", ""],
        found.sort(order).map(row)));
    } catch (error) {
      fill(place, failed(error, load));
    }
  }

  function row(lease) {
    const isLive = lease.ended_at === undefined;
    const revoke = h("button", { type: "button", onclick: () => confirm(lease) }, "Revoke…");
    return h("tr", { "data-lease": lease.lease },
      cell("State", isLive ? badge("good", "live") : badge("open", "ended")),
      cell("Key", h("b", {}, lease.key)),
      cell("Machine", h("a", { href: `#/machines/${part(lease.machine)}` }, lease.machine)), cell("Boot", lease.boot),
      cell("Last release", time(lease.last_release)), cell("Releases", count(lease.releases)),
      isLive ? cell("", may && revoke) : cell("Ended", h("small", {}, lease.ended_because), time(lease.ended_at)));
  }

  function confirm(lease) {
    const go = async () => {
      try {
        await say("DELETE", `/machines/${part(lease.machine)}/leases/${part(lease.lease)}`);
        toast(`The lease of ${lease.machine} on “${lease.key}” has ended.`);
      } catch (error) {
        toast(error.message);
      }
      dialog.close();
      load();
    };
    const dialog = h("dialog", { class: "dialog", "aria-labelledby": "revoke-title", onclose: () => dialog.remove() },
      h("h2", { id: "revoke-title" }, `Revoke the lease on “${lease.key}”`),
      h("p", { class: "help" }, `${lease.machine}, boot ${lease.boot}, is told at its next request. What its TPM holds already, it keeps until it restarts.`),
      h("footer", {}, h("button", { type: "button", onclick: () => dialog.close() }, "Cancel"),
        h("button", { type: "button", class: "primary", onclick: go }, "Revoke")));
    document.body.append(dialog);
    dialog.showModal();
  }

  load();
  return load;
}
