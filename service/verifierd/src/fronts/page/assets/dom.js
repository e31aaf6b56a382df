// Elements and text: whatever a machine says about itself becomes a text node, never markup.

const SVG = "http://www.w3.org/2000/svg";

/** Makes an element. Properties that begin with "on" are listeners, `class` and the rest are attributes; `false` leaves one out. */
export function h(tag, properties = {}, ...children) {
  return build(document.createElement(tag), properties, children);
}

/** Makes an element of a picture. */
export function s(tag, properties = {}, ...children) {
  return build(document.createElementNS(SVG, tag), properties, children);
}

function build(element, properties, children) {
  for (const [name, value] of Object.entries(properties)) {
    if (value === false || value === null || value === undefined) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value === true ? "" : String(value));
  }
  append(element, children);
  return element;
}

function append(element, children) {
  for (const child of children.flat(Infinity)) {
    if (child === null || child === undefined || child === false) continue;
    element.append(child instanceof Node ? child : document.createTextNode(String(child)));
  }
}

/** Puts children in place of those that an element has. */
export function fill(element, ...children) {
  element.replaceChildren();
  append(element, children);
  return element;
}

/** Finds one element. */
export const find = (selector, within = document) => within.querySelector(selector);

/** Says something in passing. */
export function toast(text) {
  const place = find("#toast");
  place.textContent = text;
  place.hidden = false;
  clearTimeout(toast.timer);
  toast.timer = setTimeout(() => { place.hidden = true; }, 6000);
}

/** Calls `act` once the calls stop coming. */
export function settled(act, milliseconds = 200) {
  let timer;
  return (...values) => {
    clearTimeout(timer);
    timer = setTimeout(() => act(...values), milliseconds);
  };
}

const awaited = new WeakMap();

/**
 * Waits for what a place is to show. Of several answers on their way to one place only the one to the newest question
 * arrives: an older one, however late, stays out, and so does its refusal.
 */
export function newest(place, answer) {
  awaited.set(place, answer);
  const unlessOld = (settle) => (value) => { if (awaited.get(place) === answer) settle(value); };
  return new Promise((resolve, reject) => { answer.then(unlessOld(resolve), unlessOld(reject)); });
}

/** Places while something is on its way, so that nothing jumps when it comes. */
export function skeleton(lines = 6) {
  const line = (_, n) => h("span", { class: `bone bone-${n % 3}` });
  return h("div", { class: "skeleton", role: "status", "aria-label": "Loading" }, Array.from({ length: lines }, line));
}

/** What stands where there is nothing. */
export function empty(title, text, ...more) {
  return h("div", { class: "empty" }, h("p", { class: "empty-title" }, title), h("p", {}, text), more);
}

/** What stands where something could not be had, with a way to try again. */
export function failed(error, again) {
  return h("div", { class: "empty error", role: "alert" },
    h("p", { class: "empty-title" }, "This could not be loaded"),
    h("p", {}, error.message),
    again && h("button", { type: "button", onclick: again }, "Try again"));
}
