/** Text to the clipboard. */

const SAID_MS = 1600;

/**
 * @param {string} text
 * @param {HTMLElement} button says whether it worked
 * @param {import("../words.js").Words} words
 */
export async function copyText(text, button, words) {
  const copied = (await write(text)) || select(text);
  button.textContent = copied ? words.copied : words.notCopied;
  setTimeout(() => {
    button.textContent = words.copy;
  }, SAID_MS);
}

/** @param {string} text @returns {Promise<boolean>} */
async function write(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return false;
  }
}

/** Where the page is not secure, or its frame may not: the old way, by a selection. @param {string} text */
function select(text) {
  const field = document.createElement("textarea");
  field.value = text;
  field.style.cssText = "position:fixed;opacity:0";
  document.body.append(field);
  field.select();
  const copied = document.execCommand("copy");
  field.remove();
  return copied;
}
