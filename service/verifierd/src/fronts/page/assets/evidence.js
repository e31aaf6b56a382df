// The logs of a boot: events by register, and the IMA list from its end, with what may be accepted into the policy.

import { ask, part, say } from "./api.js";
import { empty, failed, fill, h, newest, settled, skeleton, toast } from "./dom.js";
import { badge, count, dump, many, mark } from "./words.js";

/** Shows the boot log as a tree: register, events, what each says. */
export async function bootLog(place, name) {
  try {
    const log = await newest(place, ask(`/machines/${part(name)}/boot-log`));
    if (log.missing) {
      fill(place, empty("No boot log to show", log.missing));
      return;
    }
    fill(place, h("p", { class: "help" }, `${log.format}. `, mark("good"), " the digest is that of the data; ", mark("open"),
      " the data are the log’s word about the digest."),
    h("div", { class: "tree" }, log.registers.map(register)));
  } catch (error) {
    fill(place, failed(error, () => bootLog(place, name)));
  }
}

function register({ register: number, value, bank, events }) {
  return h("details", { class: "pcr", open: events.length <= 12 },
    h("summary", {}, h("b", {}, `PCR ${number}`), h("small", {}, many(events.length, "event")),
      value && h("code", { class: "digest" }, `${bank}:${value}`)),
    h("ol", {}, events.map(event)));
}

function event({ number, kind, text, data_is: basis, digests, data, size }) {
  const words = { hashed: "its digest is that of the data", claimed: "the log’s word", "not extended": "not extended" };
  return h("li", {}, h("details", {},
    h("summary", {}, mark(basis === "hashed" ? "good" : "open"), h("span", { class: "kind" }, kind), h("span", {}, text)),
    h("dl", { class: "fields" },
      h("div", {}, h("dt", {}, "event"), h("dd", {}, number)),
      h("div", {}, h("dt", {}, "data"), h("dd", {}, words[basis], `, ${count(size)} bytes`)),
      digests.map((digest) => h("div", {}, h("dt", {}, "digest"), h("dd", {}, h("code", {}, digest))))),
    data && h("pre", { class: "dump", tabindex: 0 }, dump(data))));
}

const PAGE = 100;

/** Shows the IMA list, newest first. */
export function imaList(place, name, session) {
  const wanted = { search: "", flagged: 0, offset: 0 };
  const accepted = new Map();
  const list = h("div", { class: "table", id: "ima" }, skeleton(10));
  const accept = h("button", { type: "button", class: "primary", disabled: true, onclick: () => trial() }, "Accept into policy…");
  const search = h("input", {
    type: "search", placeholder: "Path or digest", "aria-label": "Search the list", spellcheck: "false",
    oninput: settled(() => load({ search: search.value.trim(), offset: 0 })),
  });
  const flagged = h("input", { type: "checkbox", id: "flagged", onchange: () => load({ flagged: Number(flagged.checked), offset: 0 }) });
  fill(place, h("div", { class: "tools" }, search, h("label", { for: "flagged" }, flagged, "Only what the policy refuses"), accept), list);

  async function load(change = {}) {
    Object.assign(wanted, change);
    try {
      draw(await newest(list, ask(`/machines/${part(name)}/ima`, { ...wanted, limit: PAGE })));
    } catch (error) {
      fill(list, failed(error, () => load()));
    }
  }

  function draw({ kept, matching, missing, entries }) {
    if (entries.length === 0) {
      fill(list, kept === 0
        ? empty("No list to show", missing ?? "The machine has measured nothing yet.")
        : empty("No entry is like that", `None of ${count(kept)} entries matches.`));
      return;
    }
    const step = (to, text, allowed) => h("button", { type: "button", disabled: !allowed, onclick: () => load({ offset: to }) }, text);
    fill(list, missing && h("p", { class: "help" }, missing),
      h("table", { class: "ima" },
        h("caption", { class: "unseen" }, `${count(matching)} of ${count(kept)} entries, newest first`),
        h("thead", {}, h("tr", {}, ["Accept", "Entry", "File", "Digest", "Judged"].map((title) => h("th", { scope: "col" }, title)))),
        h("tbody", {}, entries.map(row))),
      h("nav", { class: "pager", "aria-label": "Pages" },
        step(Math.max(0, wanted.offset - PAGE), "Newer", wanted.offset > 0),
        h("span", {}, `${count(wanted.offset + 1)} to ${count(wanted.offset + entries.length)} of ${count(matching)}`),
        step(wanted.offset + PAGE, "Older", wanted.offset + entries.length < matching)));
  }

  function row(entry) {
    const key = `${entry.path}\n${entry.digest}`;
    const cell = (label, ...children) => h("td", { "data-label": label }, children);
    const box = h("input", {
      type: "checkbox", checked: accepted.has(key), "aria-label": `Accept ${entry.path}`, "data-path": entry.path,
      onchange: () => {
        if (box.checked) accepted.set(key, { path: entry.path, digest: entry.digest });
        else accepted.delete(key);
        accept.disabled = accepted.size === 0;
      },
    });
    const isAcceptable = entry.finding && entry.digest;
    const judged = entry.finding ? badge("bad", "refused")
      : entry.entry_is === "consistent" ? h("span", { class: "faint" }, "not refused") : badge("warning", entry.entry_is);
    return h("tr", { class: entry.finding ? "flagged" : false },
      cell("Accept", isAcceptable && box), cell("Entry", entry.number),
      cell("File", h("span", { class: "file" }, entry.path), entry.finding && h("small", {}, entry.finding.message)),
      cell("Digest", h("code", { class: "digest", title: entry.digest ?? false }, entry.digest ? `${entry.digest.slice(0, 23)}…` : "none"),
        entry.signed_by && h("small", {}, `signed by key ${entry.signed_by}`)),
      cell("Judged", judged));
  }

  /** Asks what accepting would do, then does it if the person says so. */
  async function trial() {
    const files = [...accepted.values()];
    const { policy = "default" } = await ask(`/machines/${part(name)}`);
    const effect = h("div", { class: "effect", "aria-live": "polite" }, skeleton(3));
    const go = h("button", { type: "button", class: "primary", disabled: true, onclick: () => send() }, "Accept");
    const dialog = h("dialog", { class: "dialog", "aria-labelledby": "accept-title", onclose: () => dialog.remove() },
      h("h2", { id: "accept-title" }, `Accept into policy “${policy}”`),
      h("ul", { class: "paths" }, files.map((file) => h("li", {}, h("span", { class: "file" }, file.path), h("code", {}, file.digest)))),
      h("h3", {}, "What it would do"), effect,
      h("footer", {}, h("button", { type: "button", onclick: () => dialog.close() }, "Cancel"), go));
    document.body.append(dialog);
    dialog.showModal();
    const path = `/policies/${part(policy)}/files`;
    try {
      fill(effect, describeEffect(await say("POST", path, { files, dry_run: true })));
      go.disabled = !session.roles.includes("policy");
      if (go.disabled) effect.append(h("p", { class: "wrong" }, "Your token does not have the role policy."));
    } catch (error) {
      fill(effect, failed(error));
    }
    async function send() {
      go.disabled = true;
      try {
        await say("POST", path, { files });
        dialog.close();
        accepted.clear();
        accept.disabled = true;
        toast(`Policy “${policy}” knows ${files.length === 1 ? "the file" : `${files.length} files`} from each machine’s next challenge on.`);
        load();
      } catch (error) {
        fill(effect, failed(error));
      }
    }
  }

  load();
}

/** What a changed policy does, in words. */
export function describeEffect({ judged, not_judged: others, changes }) {
  const machines = (number) => many(number, "machine");
  return [
    h("p", {}, changes.length === 0 ? "No verdict changes. " : `${machines(changes.length)} would get another verdict. `,
      h("span", { class: "faint" }, `Judged again by their kept evidence: ${machines(judged)}. `,
        others > 0 && `Not judged, since too little is kept of them: ${machines(others)}.`)),
    changes.length > 0 && h("ul", { class: "changes" }, changes.map((change) => h("li", {},
      h("b", {}, change.machine), " ", badge(change.from), " → ", badge(change.to),
      change.reason && change.to !== "trusted" && h("small", {}, change.reason)))),
  ];
}
