// The audit log from its end, and whether its chain holds.

import { ask, part } from "./api.js";
import { empty, failed, fill, h, newest, skeleton, toast } from "./dom.js";
import { badge, count, digest, time } from "./words.js";

const PAGE = 100;

/** Shows the log; returns what to do with events. */
export function audit(place) {
  document.title = "Audit log · evtpm";
  const list = h("div", { class: "panel" }, skeleton(10));
  const state = h("span", { role: "status" });
  const verify = async () => {
    fill(state, "following the chain…");
    try {
      const head = await newest(state, ask("/audit/head"));
      fill(state, head.broken ? badge("bad", head.broken) : badge("good", `${count(head.lines)} lines hold`), " ",
        digest(`${head.lines}:${head.head}`, 24));
    } catch (error) {
      fill(state, error.message);
    }
  };
  fill(place, h("div", { class: "head" }, h("h1", {}, "Audit log"), state,
    h("button", { type: "button", onclick: verify }, "Verify the chain")), list);
  lines(list, {});
  return undefined;
}

/** Shows lines, newest first, and goes back as far as one wants. */
export async function lines(place, query) {
  const rows = h("tbody", {});
  const older = h("button", { type: "button", onclick: () => load().catch((error) => toast(error.message)) }, "Older lines");
  let before;
  const cell = (label, ...children) => h("td", { "data-label": label }, children);
  const row = (line) => h("tr", {},
    cell("Line", line.id), cell("When", time(line.at)),
    cell("Machine", line.machine ? h("a", { href: `#/machines/${part(line.machine)}` }, line.machine) : h("span", { class: "faint" }, "none")),
    cell("Event", line.event), cell("Detail", h("span", { class: "detail" }, line.detail)), cell("Hash", digest(line.hash, 12)));
  async function load() {
    // Asked twice, older lines would be lost or stand there twice.
    older.disabled = true;
    const found = await newest(place, ask("/audit/newest", { ...query, before, limit: PAGE }))
      .finally(() => { older.disabled = false; });
    rows.append(...found.map(row));
    before = found.at(-1)?.id;
    older.hidden = found.length < PAGE;
  }
  try {
    await load();
    fill(place, before === undefined
      ? empty("Nothing happened yet", "Registrations, verdicts and what administrators do are written here.")
      : [h("table", { class: "audit" },
        h("caption", { class: "unseen" }, "Lines of the audit log, newest first"),
        h("thead", {}, h("tr", {}, ["Line", "When", "Machine", "Event", "Detail", "Hash"].map((title) => h("th", { scope: "col" }, title)))),
        rows), h("p", { class: "pager" }, older)]);
  } catch (error) {
    fill(place, failed(error, () => lines(place, query)));
  }
}
