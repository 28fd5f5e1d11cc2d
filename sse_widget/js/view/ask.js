/** The ask box: Enter sends, Shift+Enter begins a new line. */
import { element, icon } from "./element.js";

const ARROW_UP = "M8 13V3.5M3.5 8 8 3.5 12.5 8";

/** What is typed into it is kept in `draft`, so that a box that replaces this one goes on with it. */
export class AskBox {
  #draft;
  #input;
  #send;

  /**
   * @param {import("./words.js").Words} words
   * @param {{text: string, focused: boolean}} draft
   * @param {(question: string) => void} ask
   * @param {AbortSignal} signal
   */
  constructor(words, draft, ask, signal) {
    this.#draft = draft;
    this.#input = element("textarea", {
      className: "ssew-input",
      dir: "auto",
      rows: 1,
      value: draft.text,
      placeholder: words.placeholder,
      enterKeyHint: "send",
    });
    this.#send = element(
      "button",
      { className: "ssew-send", type: "submit", title: words.ask, "aria-label": words.ask },
      icon(ARROW_UP),
    );
    const name = element("span", { className: "ssew-unseen" }, words.question);
    const label = element("label", { className: "ssew-label" }, name, this.#input);
    this.element = element("form", { className: "ssew-ask" }, label, this.#send);
    this.#listen(ask, signal);
    this.#changed();
  }

  /** Goes on where the box before this one was left. */
  restoreFocus() {
    if (this.#draft.focused) this.#input.focus({ preventScroll: true });
  }

  /** @param {(question: string) => void} ask @param {AbortSignal} signal */
  #listen(ask, signal) {
    const input = this.#input;
    input.addEventListener("input", () => this.#changed(), { signal });
    input.addEventListener("focus", () => this.#note(true), { signal });
    input.addEventListener("blur", () => this.#note(!input.isConnected), { signal });
    input.addEventListener(
      "keydown",
      (event) => {
        event.stopPropagation(); // a notebook has other plans for keys
        if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
        event.preventDefault();
        this.element.requestSubmit();
      },
      { signal },
    );
    this.element.addEventListener(
      "submit",
      (event) => {
        event.preventDefault();
        const question = input.value.trim();
        if (!question) return;
        input.value = "";
        this.#changed();
        ask(question);
      },
      { signal },
    );
  }

  /** @param {boolean} focused */
  #note(focused) {
    this.#draft.focused = focused;
  }

  #changed() {
    const input = this.#input;
    this.#draft.text = input.value;
    this.#send.disabled = !input.value.trim();
    input.style.height = "auto";
    if (input.scrollHeight) input.style.height = `${input.scrollHeight}px`;
  }
}
