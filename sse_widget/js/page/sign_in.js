/** Asks for the server's token, and keeps it while the page is open; nothing is stored. */
import { element } from "../view/element.js";

/** @typedef {import("./dashboard_words.js").DashboardWords["signIn"]} Words */

export class SignIn {
  #token = "";
  #words;
  #input = element("input", {
    type: "password",
    id: "token",
    required: true,
    autocomplete: "off",
    dir: "ltr",
    "aria-describedby": "token-note token-wrong",
  });
  #wrong = element("p", { className: "dash-wrong", id: "token-wrong", role: "alert" });

  /** @param {Words} words @param {() => void} done hears that there is a token to try */
  constructor(words, done) {
    this.#words = words;
    const label = element("label", { htmlFor: "token" }, words.label);
    const note = element("p", { id: "token-note" }, words.note);
    const send = element("button", { type: "submit" }, words.send);
    const values = { className: "dash-sign-in", hidden: true };
    this.element = element("form", values, label, this.#input, send, note, this.#wrong);
    this.element.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#token = this.#input.value.trim();
      done();
    });
  }

  /** What a request proves itself by; a cookie, where there is one, goes with it anyway. @returns {Record<string, string>} */
  get headers() {
    return this.#token ? { Authorization: `Bearer ${this.#token}` } : {};
  }

  /** @param {boolean} shown also says, after a token was tried, that it was not accepted */
  show(shown) {
    if (shown) this.#wrong.textContent = this.#token ? this.#words.wrong : "";
    const opens = shown && this.element.hidden;
    this.element.hidden = !shown;
    if (shown) this.#token = "";
    else this.#input.value = "";
    if (opens) this.#input.focus();
  }
}
