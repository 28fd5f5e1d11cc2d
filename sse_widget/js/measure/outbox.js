/** What a page has yet to tell the server of a run: batches of rows, each until the server has it. Pure. */

/** @typedef {import("../protocol/trace.js").Row} Row */
/**
 * What goes with every batch.
 *
 * @typedef {object} Facts
 * @property {number | null} offset_ns what to add to the page's time for the server's
 * @property {number | null} error_ns by how much that may be wrong
 * @property {number | null} asked when the page asked, ms of its clock; null where somebody else did
 */
/** @typedef {Facts & {reader: string, from: number, rows: Row[], over: boolean}} Batch */
/** @typedef {{status: number, have: number | null}} Answer 0 when the server could not be reached; `have` is how many rows it has */

export const MOST_IN_BATCH = 500;
/** Browsers carry no more of a page that is leaving (Fetch standard, keepalive): 64 KiB, for all requests of it. */
export const LAST_CHARS = 60_000;
const RETRY_MS = 500;
const MOST_RETRY_MS = 8000;
const MOST_FAILURES = 6;
const RETRIED = [0, 408, 429];

/** One reader's rows, in their order. A batch that was not answered is sent again with the same `from`. */
export class Outbox {
  /** Whether there is no more to send, or no sense in it. */
  closed = false;
  /** Whether the server would not have it. */
  refused = false;
  #reader;
  /** @type {Row[]} */
  #rows = [];
  #from = 0;
  #failures = 0;

  /** @param {string} reader names it among those of the run */
  constructor(reader) {
    this.#reader = reader;
  }

  get length() {
    return this.#rows.length;
  }

  /** How long to wait before the next batch is sent, after failures. */
  get waitMs() {
    return this.#failures ? Math.min(MOST_RETRY_MS, RETRY_MS * 2 ** (this.#failures - 1)) : 0;
  }

  /** @param {Row[]} rows */
  add(rows) {
    if (!this.closed) this.#rows.push(...rows);
  }

  /**
   * The next batch.
   *
   * @param {Facts} facts
   * @param {boolean} over whether nothing comes after the rows that are here
   * @returns {Batch}
   */
  next(facts, over) {
    return this.#batch(facts, over, Math.min(this.#rows.length, MOST_IN_BATCH));
  }

  /** The last batch of a page that leaves: what does not fit is lost. @param {Facts} facts @returns {Batch} */
  last(facts) {
    let chars = 0;
    const tooMany = this.#rows.findIndex((row) => {
      chars += JSON.stringify(row).length + 1;
      return chars > LAST_CHARS;
    });
    return { ...this.#batch(facts, true, tooMany < 0 ? this.#rows.length : tooMany), over: true };
  }

  /** @param {Facts} facts @param {boolean} over @param {number} count @returns {Batch} */
  #batch(facts, over, count) {
    const rows = this.#rows.slice(0, count);
    return {
      reader: this.#reader,
      from: this.#from,
      ...facts,
      rows,
      over: over && count === this.#rows.length,
    };
  }

  /** What the server made of a batch. @param {Batch} batch @param {Answer} answer */
  settle({ from, rows, over }, { status, have }) {
    if (status >= 200 && status < 300) {
      this.#had(from + rows.length);
      this.closed ||= over;
    } else if (status === 409 && have !== null && have > this.#from) {
      this.#had(Math.min(have, this.#from + this.#rows.length));
    } else if (status >= 500 || RETRIED.includes(status)) {
      this.#failures += 1;
      if (this.#failures >= MOST_FAILURES) this.#close();
    } else {
      this.#close();
    }
  }

  /** @param {number} count of rows that the server has */
  #had(count) {
    this.#rows.splice(0, Math.max(0, count - this.#from));
    this.#from = Math.max(this.#from, count);
    this.#failures = 0;
  }

  #close() {
    this.closed = true;
    this.refused = true;
    this.#rows = [];
  }
}
