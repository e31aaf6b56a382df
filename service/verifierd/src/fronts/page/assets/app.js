// The page: who is signed in, which view is shown, and whether the verifier is there.

import { ask, listen, say, whenSignedOut } from "./api.js";
import { audit } from "./audit.js";
import { empty, fill, find, h, s } from "./dom.js";
import { fleet } from "./fleet.js";
import { keys } from "./keys.js";
import { login } from "./login.js";
import { machine } from "./machine.js";
import { policies, policy } from "./policies.js";
import { keepTime } from "./words.js";

const main = find("#main");
const state = { session: null, leave: () => {}, heard: () => {}, silence: null };

/** Views by the path behind the hash; each returns what to do with events, and may return it later. */
const VIEWS = [
  [/^\/?$/, (place) => fleet(place)],
  [/^\/machines\/([^/]+)(?:\/([a-z-]+))?$/, (place, name, tab) => machine(place, decodeURIComponent(name), tab, state.session)],
  [/^\/policies$/, (place) => policies(place)],
  [/^\/policies\/([^/]+)$/, (place, name) => policy(place, decodeURIComponent(name), state.session)],
  [/^\/keys$/, (place) => keys(place, state.session)],
  [/^\/audit$/, (place) => audit(place)],
];

const TABS = [["Fleet", "#/", /^\/?($|machines)/], ["Policies", "#/policies", /^\/policies/], ["Keys", "#/keys", /^\/keys/],
  ["Audit log", "#/audit", /^\/audit/]];

const path = () => location.hash.replace(/^#/, "").split("?")[0];

function show() {
  if (!state.session) return;
  header();
  const found = VIEWS.map(([pattern, view]) => [path().match(pattern), view]).find(([match]) => match);
  if (!found) {
    state.heard = () => {};
    fill(main, empty("There is nothing here", "This address names no view.", h("a", { href: "#/" }, "To the fleet")));
    return;
  }
  const [match, view] = found;
  state.heard = view(main, ...match.slice(1)) ?? (() => {});
  main.setAttribute("aria-busy", "false");
}

function header() {
  const tab = ([name, address, pattern]) =>
    h("a", { href: address, "aria-current": pattern.test(path()) ? "page" : false }, name);
  const { name, roles } = state.session;
  fill(find("#top"),
    h("a", { class: "brand", href: "#/" }, h("img", { src: "/page/icon.svg", alt: "", width: 24, height: 24 }), "evtpm"),
    h("nav", { "aria-label": "Views" }, TABS.map(tab)),
    h("span", { class: "live", id: "live", "data-state": find("#live")?.dataset.state ?? "wait", role: "status" },
      find("#live")?.textContent ?? "connecting"),
    h("button", { type: "button", class: "quiet", id: "theme", onclick: turn, "aria-label": themeName(), title: themeName() },
      s("svg", { viewBox: "0 0 16 16", width: 16, height: 16, "aria-hidden": "true" },
        s("circle", { cx: 8, cy: 8, r: 6.4 }), s("path", { d: "M8 1.6A6.4 6.4 0 0 1 8 14.4Z" })),
      h("span", {}, theme())),
    h("button", { type: "button", class: "quiet", title: `${name}: ${roles.join(", ")}`, onclick: leave }, "Sign out"));
}

// Light and dark: what the system says, unless the person said otherwise.
const THEMES = ["system", "light", "dark"];
const theme = () => localStorage.getItem("theme") ?? "system";
const themeName = () => `Theme: ${theme()}`;

function dress() {
  document.documentElement.dataset.theme = theme();
}

function turn() {
  const next = THEMES[(THEMES.indexOf(theme()) + 1) % THEMES.length];
  localStorage.setItem("theme", next);
  dress();
  header();
  find("#theme").focus();
}

async function leave() {
  await say("DELETE", "/session").catch(() => {});
  signOut();
}

function signOut() {
  state.session = null;
  state.silence?.();
  state.silence = null;
  connection("wait");
  fill(find("#top"));
  login(main, enter);
}

function signIn(session) {
  state.session = session;
  hear();
  show();
}

function hear() {
  state.silence?.();
  state.silence = listen((event) => state.heard(event), connection);
}

/** Whoever has just typed a token goes on in what it opened. */
function enter(session) {
  signIn(session);
  main.focus({ preventScroll: true });
}

/** Says whether what is shown is of now. */
function connection(is) {
  const words = { live: "live", lost: "reconnecting", wait: "connecting" };
  const sign = find("#live");
  if (sign) {
    sign.dataset.state = is;
    sign.textContent = words[is];
  }
  const banner = find("#banner");
  const was = banner.hidden;
  banner.hidden = is !== "lost";
  banner.textContent = is === "lost" ? "The verifier is not reached: what you see may be old. Trying again…" : "";
  // Whatever happened meanwhile was not heard.
  if (is === "live" && !was) show();
}

find("#skip").addEventListener("click", (event) => {
  event.preventDefault();
  main.focus();
});
window.addEventListener("hashchange", () => {
  find("#toast").hidden = true;
  show();
  main.focus({ preventScroll: true });
});
window.addEventListener("offline", () => state.session && connection("lost"));
window.addEventListener("online", () => state.session && hear());
whenSignedOut(signOut);
dress();
keepTime();
ask("/session").then(signIn, () => login(main, enter));

