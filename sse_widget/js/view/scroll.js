/** Keeps the end of a growing text in view, while that is where the reader is. */

const NEAR_PX = 24;

/** Whoever scrolls up stays there; whoever comes back to the end is taken along again. */
export class EndFollower {
  #element;
  #following = true;

  /** @param {HTMLElement} element @param {AbortSignal} signal */
  constructor(element, signal) {
    this.#element = element;
    element.addEventListener("scroll", () => this.#look(), { passive: true, signal });
  }

  /** The text has grown. */
  follow() {
    if (this.#following) this.#element.scrollTop = this.#element.scrollHeight;
  }

  /** Has the text shown another way; the reader stays about where they were in it. @param {() => void} change */
  keep(change) {
    const { scrollTop, scrollHeight } = this.#element;
    change();
    if (this.#following) return this.follow();
    const { scrollHeight: height, clientHeight } = this.#element;
    // Never so near to the end that the reader is taken along from there.
    const most = height - clientHeight - 2 * NEAR_PX;
    this.#element.scrollTop = Math.min((scrollTop / scrollHeight) * height, most);
  }

  /** Another text begins. */
  reset() {
    this.#following = true;
    this.#element.style.overflowAnchor = "";
  }

  #look() {
    const { scrollHeight, scrollTop, clientHeight } = this.#element;
    this.#following = scrollHeight - scrollTop - clientHeight < NEAR_PX;
    // What grows above, as a formula does when its part comes, moves nobody who reads below it.
    this.#element.style.overflowAnchor = this.#following ? "" : "auto";
  }
}
