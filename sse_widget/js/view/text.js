/** Plain text into the DOM, one block a line, each with its own direction. */

/**
 * Shows text that only grows. An append costs O(appended): a block that is complete is never touched again.
 *
 * The element gets one `<div class="ssew-block" dir="auto">` a line, so that every line of Arabic or Hebrew
 * runs from the right whatever stands above it. text.css has the rules for the class names.
 */
export class TextView {
  #element;
  /** @type {Text | null} the text node of the last line, null when the next character begins a line */
  #line = null;
  #text = "";

  /** @param {Element} element becomes the view's own; what is in it goes */
  constructor(element) {
    this.#element = element;
    element.classList.add("ssew-text");
    element.replaceChildren();
  }

  /** All text that was appended, newlines as they came. */
  get text() {
    return this.#text;
  }

  /** @param {string} text */
  append(text) {
    if (!text) return;
    this.#text += text;
    const lines = text.split("\n");
    const rest = lines.pop();
    for (const line of lines) {
      this.#openLine().appendData(line);
      this.#line = null;
    }
    if (rest) this.#openLine().appendData(rest);
  }

  /** Removes all text. */
  clear() {
    this.#text = "";
    this.#line = null;
    this.#element.replaceChildren();
  }

  /** @returns {Text} */
  #openLine() {
    if (this.#line) return this.#line;
    const document = this.#element.ownerDocument;
    const block = document.createElement("div");
    block.className = "ssew-block";
    block.dir = "auto";
    this.#line = block.appendChild(document.createTextNode(""));
    this.#element.append(block);
    return this.#line;
  }
}
