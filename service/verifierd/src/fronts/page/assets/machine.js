// One machine: what is held against it and why, its chain, its logs, its boots.

import { ask, part, say } from "./api.js";
import { lines } from "./audit.js";
import { picture } from "./chain.js";
import { empty, failed, fill, find, h, newest, settled, skeleton, toast } from "./dom.js";
import { bootLog, imaList } from "./evidence.js";
import { leases } from "./keys.js";
import { badge, count, digest, dump, mark, tcb, time } from "./words.js";

const TABS = [["chain", "Chain"], ["boot-log", "Boot log"], ["ima", "IMA"], ["boots", "Boots"], ["keys", "Keys"],
  ["audit", "Audit"]];

/** What vouches for a machine's keys, in words. */
const KNOWN_BY = {
  "nv-report": "the report in its TPM’s NV memory",
  "svsm-v0": "the SVSM’s report over our nonce",
  "svsm-v1": "the SVSM’s report over our nonce",
  "azure-hcl": "the report and claims of Azure’s paravisor",
  "ek-certificate": "its TPM vendor’s certificate (no report of the launch)",
};

/** Shows a machine; returns what to do with events. */
export function machine(place, name, tab = "chain", session) {
  document.title = `${name} · evtpm`;
  const address = (tab) => `#/machines/${part(name)}/${tab}`;
  const head = h("div", { id: "machine", "data-machine": name }, skeleton(3));
  const body = h("div", { class: "panel", id: "panel", role: "tabpanel", "aria-labelledby": `tab-${tab}` }, skeleton(8));
  const tabs = h("div", { class: "tabs", role: "tablist", "aria-label": "Parts of the evidence" }, TABS.map(([id, title]) =>
    h("a", {
      role: "tab", id: `tab-${id}`, href: address(id), "aria-selected": String(id === tab), tabindex: id === tab ? 0 : -1,
      onkeydown: (event) => turn(event, id),
    }, title)));
  const turn = (event, id) => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!step) return;
    const at = (TABS.findIndex(([other]) => other === id) + step + TABS.length) % TABS.length;
    // The focus goes along, after the view is there.
    window.addEventListener("hashchange", () => find(`#tab-${TABS[at][0]}`)?.focus(), { once: true });
    location.hash = address(TABS[at][0]);
  };
  fill(place, h("p", { class: "back" }, h("a", { href: "#/" }, "Fleet")), head, tabs, body);

  const shown = { link: null, ima: false };
  async function load() {
    try {
      const found = await newest(body, ask(`/machines/${part(name)}/chain`));
      fill(head, summary(found, session, load));
      if (tab === "chain") fill(body, chain(found, shown));
    } catch (error) {
      fill(head, h("h1", {}, name));
      shown.ima = false;
      fill(body, error.status === 404
        ? empty("There is no such machine", "It was removed, or its name is another one.", h("a", { href: "#/" }, "To the fleet"))
        : failed(error, load));
      return;
    }
    if (tab === "boot-log") bootLog(body, name);
    if (tab === "boots") boots(body, name);
    if (tab === "keys") leases(body, name, session);
    if (tab === "audit") lines(body, { machine: name });
    // Files that somebody is choosing stay chosen: this list is not drawn again under his hands.
    if (tab === "ima" && !shown.ima) imaList(body, name, session);
    shown.ima = true;
  }

  load();
  const again = settled(load, 300);
  return (event) => {
    if (find("#machine")?.dataset.machine === name && (event.machine === name || event.event === "missed")) again();
  };
}

function summary(machine, session, again) {
  const fact = (name, ...value) => h("div", {}, h("dt", {}, name), h("dd", {}, value));
  const may = (role) => session.roles.includes(role);
  const endAlarm = async () => {
    await say("DELETE", `/machines/${part(machine.machine)}/alarm`).catch((error) => toast(error.message));
    again();
  };
  return [
    h("div", { class: "head" }, h("h1", {}, machine.machine), badge(machine.state)),
    machine.clone_alarm && h("p", { class: "alarm", role: "alert" }, mark("bad"),
      "A revoked endorsement key of this machine proved that it is alive: there may be two of it.",
      may("operate") && h("button", { type: "button", onclick: endAlarm }, "End the alarm")),
    h("dl", { class: "facts" },
      fact("Verdict", machine.last_verdict ?? "none yet", machine.last_verdict_at && [" ", time(machine.last_verdict_at)]),
      fact("Last trusted", time(machine.last_trusted_at)),
      fact("Boot", machine.boot ?? "none yet"),
      fact("Policy", h("a", { href: `#/policies/${part(machine.policy ?? "default")}` }, machine.policy ?? "default")),
      fact("Known by", KNOWN_BY[machine.identity] ?? machine.identity ?? "nothing yet"),
      fact("Launch measurement", digest(machine.measurement, 24)),
      fact("TCB", tcb(machine.platform))),
  ];
}

function chain(machine, shown) {
  if (machine.protocol) {
    return empty("It attests by Keylime’s protocol", "Of its evidence nothing is kept but the verdicts, in the audit log.");
  }
  if (machine.links.length === 0) {
    return empty("It has not registered yet", "The chain begins with its first report.");
  }
  const details = h("section", { class: "link", id: "link", "aria-live": "polite" });
  const choose = (link) => {
    shown.link = link.id;
    fill(details, describe(link));
  };
  return [picture(machine.links, choose, shown.link), details];
}

const WORDS = { good: "holds", warning: "holds, with a remark", bad: "does not hold", open: "not judged" };

function describe(link) {
  return [
    h("header", {}, h("h2", {}, link.title), badge(link.state, WORDS[link.state])),
    h("p", { class: "why", id: "why" }, link.reason),
    link.findings.length > 0 && h("ul", { class: "findings" }, link.findings.map(finding)),
    link.fields.length > 0 && h("dl", { class: "fields" }, link.fields.map((field) => h("div", {},
      h("dt", {}, field.name), h("dd", {}, h("code", {}, field.value), field.note && h("small", {}, field.note))))),
    link.bytes.map(bytes),
  ];
}

function finding(found) {
  return h("li", {}, mark(found.severity), h("div", {},
    h("p", {}, found.message, " ", h("code", { class: "faint" }, found.check)),
    h("dl", {},
      h("dt", {}, "expected"), h("dd", {}, found.expected),
      h("dt", {}, "actual"), h("dd", {}, found.actual)),
    found.suggestion && h("p", { class: "help" }, found.suggestion)));
}

function bytes({ name, size, hex }) {
  const shown = hex.length / 2;
  const copy = async () => {
    await navigator.clipboard.writeText(hex);
    toast(`${name}: copied as hexadecimal`);
  };
  return h("details", { class: "bytes" },
    h("summary", {}, name, " ", h("small", {}, `${count(size)} bytes`)),
    h("button", { type: "button", class: "quiet", onclick: copy }, "Copy"),
    h("pre", { class: "dump", tabindex: 0 }, dump(hex)),
    shown < size && h("p", { class: "help" }, `The first ${count(shown)} bytes.`));
}

async function boots(body, name) {
  try {
    const { history } = await newest(body, ask(`/machines/${part(name)}`));
    if (history.length === 0) {
      fill(body, empty("No boot yet", "Each boot has an endorsement key of its own, and registers by itself."));
      return;
    }
    const cell = (label, ...children) => h("td", { "data-label": label }, children);
    const columns = ["Boot", "State", "Registered", "Over since", "Rounds", "Last evidence", "EK"];
    fill(body, h("table", { class: "boots" },
      h("caption", { class: "unseen" }, "Boots, newest first"),
      h("thead", {}, h("tr", {}, columns.map((title) => h("th", { scope: "col" }, title)))),
      h("tbody", {}, history.map((boot) => h("tr", {},
        cell("Boot", boot.boot), cell("State", boot.revoked_at ? badge("open", "over") : badge(boot.state)),
        cell("Registered", time(boot.registered_at)),
        cell("Over since", boot.revoked_at ? time(boot.revoked_at) : "it is the present one"),
        cell("Rounds", count(boot.rounds)), cell("Last evidence", time(boot.last_verdict_at)),
        cell("EK", digest(boot.ek_public.slice(-32), 16)))))));
  } catch (error) {
    fill(body, failed(error, () => boots(body, name)));
  }
}
