// The chain as a picture: from the root of trust to the running system, each link by how it stands.

import { h, s } from "./dom.js";
import { tone } from "./words.js";

const MARKS = {
  good: "M-3.6 0.3 -1.1 2.8 3.6 -2.6",
  bad: "M-2.8 -2.8 2.8 2.8 M2.8 -2.8 -2.8 2.8",
  warning: "M0 -3.8V0.8 M0 3.4V3.6",
  open: "M-3 0H3",
};

const WORDS = { good: "holds", warning: "holds, with a remark", bad: "does not hold", open: "not judged" };

/** Draws the links; `chosen` is called with the one that is chosen. */
export function picture(links, chosen, selected) {
  const frame = h("div", { class: "chain", role: "group", "aria-label": "Chain of evidence" });
  let now = links.find((link) => link.id === selected) ?? worst(links);

  const choose = (link, focus) => {
    now = link;
    draw();
    if (focus) frame.querySelector(`[data-link="${link.id}"]`)?.focus();
    chosen(link);
  };
  const move = (event, at) => {
    const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1, Home: -at, End: links.length - 1 - at }[event.key];
    if (event.key === "Enter" || event.key === " ") choose(links[at], true);
    else if (step !== undefined) choose(links[Math.min(links.length - 1, Math.max(0, at + step))], true);
    else return;
    event.preventDefault();
  };

  function draw() {
    const width = frame.clientWidth || 1100;
    const place = width >= 860 ? across(width, links.length) : down(width, links.length);
    const knots = links.map((link, at) => knot(link, place.box(at), link === now, place.letters, {
      onclick: () => choose(link, false),
      onkeydown: (event) => move(event, at),
    }));
    const bonds = links.slice(1).map((link, at) =>
      s("path", { class: `bond ${tone(link.state)}`, d: place.bond(at), "marker-end": `url(#tip-${tone(link.state)})` }));
    const tips = ["good", "warning", "bad", "open"].map((of) =>
      s("marker", { id: `tip-${of}`, viewBox: "0 0 8 8", refX: 7, refY: 4, markerWidth: 7, markerHeight: 7, orient: "auto" },
        s("path", { class: `tip ${of}`, d: "M0 0.8 7 4 0 7.2Z" })));
    frame.replaceChildren(s("svg", { width, height: place.height, viewBox: `0 0 ${width} ${place.height}` },
      s("defs", {}, tips), bonds, knots));
  }

  let width = 0;
  new ResizeObserver(() => {
    if (frame.clientWidth !== width) {
      width = frame.clientWidth;
      draw();
    }
  }).observe(frame);
  draw();
  chosen(now);
  return frame;
}

/** What a person has to look at: the first link that does not hold. */
function worst(links) {
  const order = ["bad", "warning", "open", "good"];
  const is = order.find((state) => links.some((link) => link.state === state));
  return is === "bad" ? links.find((link) => link.state === is) : links[links.length - 1];
}

function across(width, count) {
  const gap = 26;
  const size = Math.floor((width - 2 - gap * (count - 1)) / count);
  const box = (at) => ({ x: 1 + at * (size + gap), y: 2, width: size, height: 92 });
  return {
    height: 98, box, letters: Math.max(8, Math.floor((size - 20) / 6.6)),
    bond: (at) => `M${box(at).x + size + 3} 48H${box(at + 1).x - 3}`,
  };
}

function down(width, count) {
  const box = (at) => ({ x: 1, y: 2 + at * 86, width: width - 2, height: 64 });
  return {
    height: count * 86 - 18, box, letters: Math.floor((width - 60) / 6.6),
    bond: (at) => `M26 ${box(at).y + 67}V${box(at + 1).y - 3}`,
  };
}

function knot(link, { x, y, width, height }, isChosen, letters, listeners) {
  const of = tone(link.state);
  const short = link.subject.length > letters ? `${link.subject.slice(0, letters - 1)}…` : link.subject;
  const isTall = height > 70;
  const [markX, markY, textX, titleY] = isTall ? [17, 20, 10, 50] : [25, 32, 48, 28];
  return s("g", {
    class: `knot ${of}${isChosen ? " chosen" : ""}`, transform: `translate(${x} ${y})`, tabindex: isChosen ? 0 : -1,
    role: "button", "aria-pressed": String(isChosen), "data-link": link.id, "data-state": link.state,
    "aria-label": `${link.title}: ${WORDS[link.state]}. ${link.reason}`, ...listeners,
  },
  s("rect", { width, height, rx: 8 }),
  s("g", { class: "sign", transform: `translate(${markX} ${markY})` }, s("circle", { r: 9 }), s("path", { d: MARKS[of] })),
  s("text", { class: "title", x: textX, y: titleY }, link.title),
  s("text", { class: "subject", x: textX, y: titleY + 19 }, short),
  s("title", {}, `${link.title}: ${link.reason}`));
}
