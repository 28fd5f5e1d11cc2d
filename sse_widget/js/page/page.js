/** The page that the standalone server serves: the same panel, on the published sse.js alone. */
import { Faults } from "../knobs/faults.js";
import { Knobs } from "../knobs/knobs.js";
import { Recording } from "../measure/recording.js";
import { beside, Parts } from "../parts.js";
import { Reading } from "../reading.js";
import { Recorder } from "../recorder.js";
import { AdaptiveTypewriter, openStream } from "../sse.js";
import { platformOf } from "../transport/platform.js";
import { Store } from "../transport/store.js";
import { Tuning } from "../tuning.js";
import { answerTypewriter } from "../view/answer.js";
import { segmentGraphemes } from "../view/graphemes.js";
import { Panel } from "../view/panel.js";
import { Screen } from "../view/screen.js";

/** @typedef {import("../reading.js").Place} Place */

const RUN = /^#([0-9a-f]{32})$/;
const LINK = /^#link=([\w.-]+)$/;
const QUESTION = "sse-widget:question";
const KNOBS = "sse-widget:knobs";
const { signal } = new AbortController();

const lang = chosenLang();
document.documentElement.lang = lang;
document.documentElement.dir = lang === "ar" ? "rtl" : "ltr";

const store = new Store(() => sessionStorage);
const reading = new Reading();
const recording = new Recording({ now: () => performance.now(), segment: segmentGraphemes });
reading.listen(recording, signal);
if (new URL(location.href).searchParams.has("record"))
  new Recorder(reading, new Screen(window, signal), {
    wanted: () => true,
    platform: platformOf({}),
    page: window,
    signal,
  });
const knobs = remembered();
const parts = new Parts(beside(import.meta.url));
const faults = new Faults(allowFaults);
const root = /** @type {HTMLElement} */ (document.getElementById("panel"));
new Panel(root, {
  reading,
  recording,
  knobs,
  tuning: new Tuning(knobs, reading, signal),
  parts,
  faults,
  ask,
  lang,
  signal,
  draft: { text: "", focused: true },
  typewriter: (element, keepPlace) =>
    answerTypewriter(AdaptiveTypewriter, element, { knobs, reading, lang, parts, signal }, keepPlace),
});
addEventListener("hashchange", arrive);
void arrive();

/** @param {string} question */
function ask(question) {
  reading.ask(question);
  if (reading.live) reading.stop();
  const plan = faults.text;
  const key = crypto.getRandomValues(new Uint32Array(4)).join("-");
  reading.follow(question, (place) => {
    const options = { ...place, body: { q: question, ...knobs.params }, key };
    const consumer = consumerAt("chat", options, plan);
    return consumer.onHello(() => remember(question, consumer.streamId));
  });
}

/** Signs in where the address is a link that works once, then shows the run that it names. */
async function arrive() {
  const link = LINK.exec(location.hash)?.[1];
  if (link) {
    // Out of the address and of the history at once: whoever looks on could be faster.
    history.replaceState(null, "", location.pathname + location.search);
    const said = document.getElementById("sign-in");
    if (said) said.hidden = await signedIn(link);
  }
  attach();
}

/** @param {string} link */
async function signedIn(link) {
  try {
    const answer = await fetch(new URL("api/v1/session", document.baseURI), {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ link }),
    });
    return answer.ok;
  } catch {
    return false;
  }
}

/** The run that the address names: after a reload, or from a link. */
function attach() {
  const streamId = RUN.exec(location.hash)?.[1];
  if (!streamId || streamId === reading.streamId) return;
  const question = store.getItem(`${QUESTION}:${streamId}`) ?? "";
  reading.follow(question, (place) => consumerAt(`runs/${streamId}`, place), { snapshot: true });
}

/** @param {string} question @param {string} streamId */
function remember(question, streamId) {
  // One that was left while it was asked says so late.
  if (streamId !== reading.streamId) return;
  store.setItem(`${QUESTION}:${streamId}`, question);
  history.replaceState(null, "", `#${streamId}`);
}

/** @param {string} route @param {import("../open.js").ConsumerOptions} options @param {string} [plan] of faults */
function consumerAt(route, options, plan = "") {
  const url = faults.onto(new URL(`api/v1/stream/${route}`, document.baseURI), plan);
  return openStream(url, { ...options, headers: { "Accept-Language": lang } });
}

/** Offers faults where the server carries them out. */
async function allowFaults() {
  try {
    const health = await (await fetch(new URL("api/v1/stream/health", document.baseURI))).json();
    faults.set({ allowed: health.faults === true }, "kernel");
  } catch {
    // A server that cannot be reached offers nothing.
  }
}

/** The knobs as they were left, before a reload. */
function remembered() {
  const kept = new Knobs();
  try {
    kept.set(JSON.parse(store.getItem(KNOBS) ?? "{}"));
  } catch {
    // Whatever else was kept there is no set of knobs.
  }
  kept.listen(() => store.setItem(KNOBS, JSON.stringify(kept.values)), signal);
  return kept;
}

/** `?lang=` of the address, else the browser's. */
function chosenLang() {
  const asked = new URL(location.href).searchParams.get("lang") ?? navigator.language;
  return /^ar\b/i.test(asked) ? "ar" : "en";
}
