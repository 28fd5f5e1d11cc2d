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

  /** Another text begins. */
  reset() {
    this.#following = true;
  }

  #look() {
    const { scrollHeight, scrollTop, clientHeight } = this.#element;
    this.#following = scrollHeight - scrollTop - clientHeight < NEAR_PX;
  }
}
