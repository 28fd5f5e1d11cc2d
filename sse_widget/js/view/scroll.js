/** Keeps the end of a growing text in view, while that is where the reader is. */
import { bringUp, lettersAbove } from "./place.js";

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

  /**
   * Has a text shown another way, with the reader where they were in it.
   *
   * @param {HTMLElement} text
   * @param {() => void} change
   */
  keep(text, change) {
    const before = this.#following ? 0 : lettersAbove(text, this.#element);
    change();
    if (this.#following) this.follow();
    else bringUp(text, this.#element, before);
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
