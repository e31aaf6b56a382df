// The verifier's API, and what it tells as it happens. The session is a cookie that no script can read.

/** A request that was refused, or did not reach the verifier (status 0). */
export class Refused extends Error {
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}

let onSignedOut = () => {};

/** Says what to do when the session is over. */
export function whenSignedOut(act) {
  onSignedOut = act;
}

/** Asks for something. */
export const ask = (path, query = {}) => {
  const given = Object.entries(query).filter(([, value]) => value !== "" && value !== undefined && value !== null);
  const text = new URLSearchParams(given).toString();
  return request("GET", text ? `${path}?${text}` : path);
};

/** Says something; `body` is an object, or the text of a document. */
export const say = (method, path, body) => request(method, path, body);

async function request(method, path, body) {
  const headers = body === undefined ? {} : { "content-type": "application/json" };
  const text = typeof body === "string" || body === undefined ? body : JSON.stringify(body);
  let answer;
  try {
    answer = await fetch(`/v1${path}`, { method, headers, body: text, credentials: "same-origin" });
  } catch {
    throw new Refused(0, "The verifier does not answer.");
  }
  if (answer.ok) return answer.status === 204 ? null : answer.json();
  const said = await answer.json().catch(() => null);
  if (answer.status === 401 && path !== "/session") onSignedOut();
  throw new Refused(answer.status, said?.message ?? `The verifier answered ${answer.status}.`);
}

/** A part of a path. */
export const part = (text) => encodeURIComponent(text);

const EVENTS = [
  "registered", "registration-refused", "clone-alarm", "trusted", "untrusted", "unknown", "stale", "unreachable",
  "key-released", "key-refused", "lease-ended", "missed",
];

/** Listens until the returned function is called. `state` hears "live" and "lost". */
export function listen(heard, state) {
  let source;
  let timer;
  const open = () => {
    source = new EventSource("/v1/events");
    source.addEventListener("open", () => state("live"));
    source.addEventListener("error", () => {
      state("lost");
      // A browser tries again by itself unless it was refused.
      if (source.readyState === EventSource.CLOSED) timer = setTimeout(open, 3000);
    });
    for (const name of EVENTS) {
      source.addEventListener(name, (event) => heard(name === "missed" ? { event: name } : JSON.parse(event.data)));
    }
  };
  open();
  return () => {
    clearTimeout(timer);
    source.close();
  };
}
