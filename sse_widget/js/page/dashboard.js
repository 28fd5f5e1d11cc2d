/** The dashboard of a server: a question box, and its metrics while they change. Tokens stay in this page's memory. */
import { Knobs } from "../knobs/knobs.js";
import { Scrape } from "../measure/exposition.js";
import { History } from "../measure/history.js";
import { Recording } from "../measure/recording.js";
import { beside, Parts } from "../parts.js";
import { Reading } from "../reading.js";
import { AdaptiveTypewriter, openStream } from "../sse.js";
import { Tuning } from "../tuning.js";
import { answerTypewriter } from "../view/answer.js";
import { element } from "../view/element.js";
import { segmentGraphemes } from "../view/graphemes.js";
import { Panel } from "../view/panel.js";
import { ChartCard } from "./card.js";
import { CHARTS, TILES } from "./charts.js";
import { dashboardWords } from "./dashboard_words.js";
import { SignIn } from "./sign_in.js";

const EVERY_MS = 1000;
const { signal } = new AbortController();
const asked = new URL(location.href).searchParams.get("lang") ?? navigator.language;
const lang = /^ar\b/i.test(asked) ? "ar" : "en";
const rtl = lang === "ar";
const words = dashboardWords(lang);
document.documentElement.lang = lang;
document.documentElement.dir = rtl ? "rtl" : "ltr";
document.title = words.title;

const history = new History();
const state = element("span", { className: "dash-state", role: "status" });
const node = element("span", {});
const signIn = new SignIn(words.signIn, () => look());
const tiles = new Map(Object.keys(TILES).map((name) => [name, element("dd", {}, "–")]));
const cards = CHARTS.map((spec) => new ChartCard(spec, words));
const askPlace = element("section", { className: "dash-ask", "aria-label": words.ask });
const body = element(
  "div",
  { className: "dash-body", hidden: true },
  askPlace,
  element("div", { className: "dash-figures" }, tileList(), chartGrid()),
);
let placed = false;
/** @type {ReturnType<typeof setTimeout> | undefined} */
let timer;

document
  .getElementById("dashboard")
  ?.replaceChildren(element("p", { className: "dash-line" }, state, node), signIn.element, body);
say("asking");
look();
document.addEventListener("visibilitychange", () => document.hidden || look());

/** Looks at the metrics, now and again each second while someone sees the page. */
async function look() {
  clearTimeout(timer);
  try {
    const response = await fetch(atRoot("metrics"), { headers: signIn.headers, cache: "no-store" });
    // 403: a cookie without Fetch Metadata, which browsers leave away over plain http, may only read.
    if (response.status === 401 || response.status === 403) {
      signIn.show(true);
      say("locked");
      return;
    }
    if (!response.ok) throw new Error(String(response.status));
    take(new Scrape(await response.text()));
  } catch {
    take(null);
  }
  if (!document.hidden) timer = setTimeout(look, EVERY_MS);
}

/** @param {Scrape | null} scrape */
function take(scrape) {
  const nowMs = performance.now();
  history.add(nowMs, scrape);
  if (scrape) {
    signIn.show(false);
    place();
    const { node: name = "", log = "", version = "" } = scrape.samples("sse_server_info")[0]?.labels ?? {};
    node.textContent = words.node(name, log, version);
  }
  say(scrape ? (scrape.sum("sse_ready") ? "ready" : "not_ready") : "away");
  for (const [name, tile] of tiles) {
    tile.textContent = TILES[/** @type {keyof typeof TILES} */ (name)](history, words.units) ?? "–";
  }
  cards.forEach((card, at) => {
    card.show(history, nowMs, CHARTS[at]?.name === "errors" ? named() : "");
  });
}

/** What went wrong since the start, by name. */
function named() {
  const found = ["sse_errors_total", "sse_reconnects_total"].flatMap(
    (name) => history.last?.samples(name) ?? [],
  );
  const list = found.map(({ labels, value }) => `\u2066${labels.code ?? labels.reason}\u00a0${value}\u2069`);
  return list.length > 0 ? words.since(list.join(rtl ? "، " : ", ")) : "";
}

/** @param {keyof typeof words.states} name */
function say(name) {
  if (state.getAttribute("data-state") === name) return;
  state.setAttribute("data-state", name);
  state.textContent = words.states[name];
}

/** Shows what needs a server that answers, once. */
function place() {
  if (placed) return;
  placed = true;
  body.hidden = false;
  for (const card of cards) card.place(rtl, signal);
  const reading = new Reading();
  const recording = new Recording({ now: () => performance.now(), segment: segmentGraphemes });
  const knobs = new Knobs();
  const parts = new Parts(beside(import.meta.url));
  reading.listen(recording, signal);
  new Panel(askPlace, {
    reading,
    recording,
    knobs,
    tuning: new Tuning(knobs, reading, signal),
    parts,
    ask: (question) => ask(question, reading, knobs),
    lang,
    signal,
    draft: { text: "", focused: true },
    typewriter: (box, keepPlace) =>
      answerTypewriter(AdaptiveTypewriter, box, { knobs, reading, lang, parts, signal }, keepPlace),
  });
}

/** @param {string} question @param {Reading} reading @param {Knobs} knobs */
function ask(question, reading, knobs) {
  reading.ask(question);
  if (reading.live) reading.stop();
  const headers = { "Accept-Language": lang, ...signIn.headers };
  reading.follow(question, (at) =>
    openStream(atRoot("api/v1/stream/chat"), { ...at, headers, body: { q: question, ...knobs.params } }),
  );
}

function tileList() {
  const list = element("dl", { className: "dash-tiles", "aria-label": words.figures });
  for (const [name, value] of tiles) {
    const label = words.tiles[/** @type {keyof typeof words.tiles} */ (name)];
    list.append(element("div", { className: "dash-tile" }, element("dt", {}, label), value));
  }
  return list;
}

function chartGrid() {
  const values = { className: "dash-charts", role: "group", "aria-label": words.charts };
  return element("div", values, ...cards.map((card) => card.element));
}

/** A path of this server, which may stand behind a prefix. @param {string} path */
function atRoot(path) {
  return new URL(`../${path}`, document.baseURI);
}
