/** From the knobs of a page to the run that it reads, and to its connection. */
import { connectionOf, pick } from "./knobs/knobs.js";
import { Tuner } from "./knobs/tuner.js";

/** @typedef {import("./knobs/knobs.js").Knobs} Knobs */
/** @typedef {import("./reading.js").Reading} Reading */
/** @typedef {"" | "unreachable"} Problem */

/**
 * Has turned knobs act at once. What the kernel turned, it has sent to the run itself; the connection is this page's
 * own, whoever turned its knobs.
 */
export class Tuning {
  /** @type {Problem} what hinders knobs from reaching the run */
  problem = "";
  /** @type {Set<(problem: Problem) => void>} */
  #listeners = new Set();

  /** @param {Knobs} knobs @param {Reading} reading @param {AbortSignal} signal */
  constructor(knobs, reading, signal) {
    const tuner = new Tuner(
      (changes) => reading.tune(changes),
      (outcome) => this.#say(outcome === "unreachable" ? outcome : ""),
    );
    knobs.listen((changes, origin) => {
      const ofRun = pick(changes, "run");
      if (origin === "page" && reading.following && Object.keys(ofRun).length > 0) tuner.push(ofRun);
      reading.update(connectionOf(changes));
    }, signal);
    reading.update(knobs.connection);
    const begin = () => {
      tuner.clear();
      this.#say("");
    };
    reading.listen({ begin }, signal);
  }

  /** @param {(problem: Problem) => void} listener @param {AbortSignal} signal */
  listen(listener, signal) {
    this.#listeners.add(listener);
    signal.addEventListener("abort", () => this.#listeners.delete(listener));
  }

  /** @param {Problem} problem */
  #say(problem) {
    if (problem === this.problem) return;
    this.problem = problem;
    for (const listener of this.#listeners) listener(problem);
  }
}
