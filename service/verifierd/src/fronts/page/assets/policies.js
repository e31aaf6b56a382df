// Policies: what they say, what a change would do, and the change.

import { ask, part, say } from "./api.js";
import { empty, failed, fill, h, newest, skeleton, toast } from "./dom.js";
import { describeEffect } from "./evidence.js";
import { digest, time } from "./words.js";

/** Lists the policies. */
export function policies(place) {
  document.title = "Policies · evtpm";
  const list = h("div", { class: "table" }, skeleton(5));
  fill(place, h("div", { class: "head" }, h("h1", {}, "Policies")), list);
  load();

  async function load() {
    try {
      const found = await newest(list, ask("/policies"));
      if (found.length === 0) {
        fill(list, empty("No policy yet", "Without one no machine can register.", h("pre", {}, "evtpm policy put default policy.toml")));
        return;
      }
      const cell = (label, ...children) => h("td", { "data-label": label }, children);
      fill(list, h("table", {},
        h("caption", { class: "unseen" }, "Policies by name"),
        h("thead", {}, h("tr", {}, ["Name", "About", "Content", "Changed"].map((title) => h("th", { scope: "col" }, title)))),
        h("tbody", {}, found.map((policy) => h("tr", {},
          cell("Name", h("a", { href: `#/policies/${part(policy.name)}` }, policy.name)),
          cell("About", policy.about || h("span", { class: "faint" }, "says nothing of itself")),
          cell("Content", digest(policy.id, 24)), cell("Changed", time(policy.changed_at)))))));
    } catch (error) {
      fill(list, failed(error, load));
    }
  }
}

/** Shows one policy; whoever has the role may try a change and make it. */
export function policy(place, name, session) {
  document.title = `Policy ${name} · evtpm`;
  const body = h("div", { class: "panel" }, skeleton(8));
  fill(place, h("p", { class: "back" }, h("a", { href: "#/policies" }, "Policies")), h("div", { class: "head" }, h("h1", {}, name)), body);
  load();

  async function load() {
    try {
      edit(await newest(body, ask(`/policies/${part(name)}`)));
    } catch (error) {
      fill(body, error.status === 404 ? empty("There is no such policy", error.message) : failed(error, load));
    }
  }

  function edit(document) {
    const may = session.roles.includes("policy");
    const text = h("textarea", { id: "document", spellcheck: "false", rows: 28, readonly: !may, oninput: () => { save.disabled = true; } });
    text.value = JSON.stringify(document, null, 2);
    const effect = h("div", { class: "effect", "aria-live": "polite" });
    const run = async () => {
      fill(effect, skeleton(2));
      const tried = text.value;
      try {
        const found = await newest(effect, say("POST", `/policies/${part(name)}/trial`, tried));
        fill(effect, describeEffect(found));
        // What was written since was not tried.
        save.disabled = !may || text.value !== tried;
      } catch (error) {
        fill(effect, failed(error));
      }
    };
    const put = async () => {
      save.disabled = true;
      try {
        await say("PUT", `/policies/${part(name)}`, text.value);
        toast(`Policy “${name}” counts from each machine’s next challenge on.`);
      } catch (error) {
        fill(effect, failed(error));
      }
    };
    const save = h("button", { type: "button", class: "primary", disabled: true, onclick: put }, "Save");
    fill(body, h("label", { for: "document" }, may ? "Document (JSON or TOML)" : "Document"), text,
      h("div", { class: "tools" }, h("button", { type: "button", onclick: run }, "Dry run"), may && save), effect);
  }
}
