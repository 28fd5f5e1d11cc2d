/** The copy button of a block of code. */
import { copied } from "../clipboard.js";

const SAID_MS = 1600;

/**
 * @param {string} text
 * @param {HTMLElement} button says whether it worked
 * @param {import("../words.js").Words} words
 */
export async function copyText(text, button, words) {
  button.textContent = (await copied(text)) ? words.copied : words.notCopied;
  setTimeout(() => {
    button.textContent = words.copy;
  }, SAID_MS);
}
