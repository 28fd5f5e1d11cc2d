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
    // Notebooks build a view before they put it into the page: sizes and focus are to be had then.
    const placed = new ResizeObserver(() => this.#placed(placed));
    placed.observe(this.#input);
    signal.addEventListener("abort", () => placed.disconnect());
  }

  /** @param {ResizeObserver} observer */
  #placed(observer) {
    if (!this.#input.isConnected) return;
    observer.disconnect();
    this.#changed();
    if (this.#draft.focused) this.#input.focus({ preventScroll: true });
  }

  /** @param {(question: string) => void} ask @param {AbortSignal} signal */
  #listen(ask, signal) {
    const input = this.#input;
    input.addEventListener("input", () => this.#changed(), { signal });
    input.addEventListener("focus", () => this.#focused(true), { signal });
    // A box that is taken out of the page loses the focus first: that is no wish of the reader.
    input.addEventListener("blur", () => setTimeout(() => input.isConnected && this.#focused(false)), {
      signal,
    });
    // On the window, before JupyterLab sees it and runs the cell.
    window.addEventListener("keydown", (event) => this.#key(event), { capture: true, signal });
    this.element.addEventListener(
      "submit",
      (event) => {
        event.preventDefault();
        const question = input.value.trim();
        if (!question) return;
        if (this.#send.matches(":focus-visible")) input.focus(); // It is of no use any more.
        input.value = "";
        this.#changed();
        ask(question);
      },
      { signal },
    );
  }

  /** @param {KeyboardEvent} event */
  #key(event) {
    if (event.key !== "Enter" || event.composedPath()[0] !== this.#input) return;
    event.stopPropagation();
    if (event.isComposing) return;
    event.preventDefault();
    if (event.shiftKey) this.#newLine();
    else this.element.requestSubmit();
  }

  /** By hand, since JupyterLab forbids line breaks in the inputs of a cell: Shift+Enter is to run it. */
  #newLine() {
    const input = this.#input;
    input.setRangeText("\n", input.selectionStart, input.selectionEnd, "end");
    this.#changed();
  }

  /** @param {boolean} focused */
  #focused(focused) {
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
