// How states, times and bytes look.

import { h, s } from "./dom.js";

/** States of machines and of links: the colour and the mark, so that nobody has to see the colour. */
const TONES = {
  healthy: "good", failed: "bad", stale: "warning", unreachable: "warning", unknown: "open",
  good: "good", bad: "bad", warning: "warning", open: "open",
  trusted: "good", untrusted: "bad",
  failure: "bad", missing: "warning", notice: "open",
};

const MARKS = {
  good: "M4.5 8.3 7 10.8 11.5 5.6",
  bad: "M5.2 5.2 10.8 10.8 M10.8 5.2 5.2 10.8",
  warning: "M8 4.3V8.6 M8 11.2V11.4",
  open: "M5 8H11",
};

export const tone = (state) => TONES[state] ?? "open";

/** A mark in a disc. */
export function mark(state) {
  const of = tone(state);
  return s("svg", { class: `mark ${of}`, viewBox: "0 0 16 16", width: 16, height: 16, "aria-hidden": "true" },
    s("circle", { cx: 8, cy: 8, r: 7.5 }), s("path", { d: MARKS[of] }));
}

/** A state in words with its mark. */
export const badge = (state, text = state) => h("span", { class: `badge ${tone(state)}` }, mark(state), text);

const UNITS = [[86400, "day"], [3600, "hour"], [60, "minute"], [1, "second"]];

/** How long ago something was. */
export function ago(at, now = Date.now() / 1000) {
  const seconds = Math.max(0, Math.round(now - at));
  if (seconds < 2) return "just now";
  const [size, unit] = UNITS.find(([size]) => seconds >= size) ?? UNITS[3];
  const count = Math.floor(seconds / size);
  return `${count} ${unit}${count === 1 ? "" : "s"} ago`;
}

/** A time, as long ago as it is; `keepTime` goes on counting. */
export function time(at) {
  if (!at) return h("span", { class: "faint" }, "never");
  const whole = new Date(at * 1000);
  return h("time", { datetime: whole.toISOString(), title: whole.toLocaleString(), "data-at": at }, ago(at));
}

/** Keeps all times true. */
export function keepTime() {
  setInterval(() => {
    for (const element of document.querySelectorAll("time[data-at]")) element.textContent = ago(Number(element.dataset.at));
  }, 1000);
}

/** A number with its separators. */
export const count = (number) => number.toLocaleString("en-US");

/** Many of something, or one of it. */
export const many = (number, one) => `${count(number)} ${one}${number === 1 ? "" : "s"}`;

/** Why, in a sentence: what evidence was refused for stands beside the sentence that says so. */
export const why = (finding) => (finding.check === "evidence.refused" ? `Refused: ${finding.actual}.` : finding.message);

/** A long digest: its beginning, with the whole of it to be seen and copied. */
export function digest(text, shown = 16) {
  if (!text) return h("span", { class: "faint" }, "none");
  return h("code", { class: "digest", title: text }, text.length > shown + 1 ? `${text.slice(0, shown)}…` : text);
}

/** Bytes as offset, hexadecimal and text, sixteen a line. */
export function dump(hex) {
  const lines = [];
  for (let at = 0; at < hex.length; at += 32) {
    const bytes = hex.slice(at, at + 32).match(/../g) ?? [];
    const text = bytes.map((byte) => {
      const code = parseInt(byte, 16);
      return code >= 0x20 && code < 0x7f ? String.fromCharCode(code) : "·";
    }).join("");
    const columns = `${bytes.slice(0, 8).join(" ").padEnd(23)}  ${bytes.slice(8).join(" ").padEnd(23)}`;
    lines.push(`${(at / 2).toString(16).padStart(4, "0")}  ${columns}  ${text}`);
  }
  return lines.join("\n");
}

/** A TCB against the floor of the policy. */
export function tcb(platform) {
  if (!platform) return h("span", { class: "faint" }, "unknown");
  const below = platform.tcb.filter((part) => part.floor !== undefined && part.level < part.floor);
  const has = platform.tcb.some((part) => part.floor !== undefined);
  const whole = platform.tcb
    .map((part) => `${part.name} ${part.level}${part.floor === undefined ? "" : ` (floor ${part.floor})`}`).join("\n");
  const [state, text] = below.length > 0
    ? ["bad", below.map((part) => `${part.name} ${part.level} < ${part.floor}`).join(", ")]
    : has ? ["good", "at or above floor"] : ["open", "no floor"];
  return h("span", { class: "tcb", title: whole }, platform.product, " ", h("span", { class: `note ${state}` }, text));
}
