// The way in: an administrator's token, once; then a cookie that scripts cannot read.

import { say } from "./api.js";
import { fill, find, h } from "./dom.js";

/** Asks for a token; `done` hears who it is. */
export function login(main, done) {
  const field = h("input", {
    id: "token", name: "token", type: "password", autocomplete: "current-password", spellcheck: "false", required: true,
    "aria-describedby": "token-help",
  });
  const wrong = h("p", { class: "wrong", role: "alert" });
  const button = h("button", { type: "submit", class: "primary" }, "Sign in");
  const send = async (event) => {
    event.preventDefault();
    button.disabled = true;
    wrong.textContent = "";
    try {
      const session = await say("POST", "/session", { token: field.value });
      field.value = "";
      done(session);
    } catch (error) {
      wrong.textContent = error.status === 401 ? "This token opens nothing here." : error.message;
      button.disabled = false;
      field.focus();
      field.select();
    }
  };
  fill(main, h("form", { class: "login", onsubmit: send, novalidate: true },
    h("h1", {}, "evtpm verifier"),
    h("label", { for: "token" }, "Administrator’s token"),
    field,
    h("p", { id: "token-help", class: "help" },
      "On the verifier’s machine: ", h("code", {}, "cat admin.token"), " in its directory, or ",
      h("code", {}, "evtpm token add"), ". A client certificate in this browser signs in by itself."),
    wrong,
    button));
  document.title = "Sign in · evtpm";
  find("#token").focus();
}
