/** Keeps the end of a growing text in view, while that is where the reader is. */
import { bringUp, placeOf } from "./place.js";

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
    const place = this.#following ? null : placeOf(text, this.#element);
    change();
    if (place) bringUp(text, this.#element, place);
    else this.follow();
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
