/** Text to the clipboard, also where the page may not use it. */

/**
 * Frames of other origins, and pages without TLS, have no clipboard: there the browser copies a selection.
 *
 * @param {string} text
 * @returns {Promise<boolean>} whether it worked
 */
export async function copied(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return selected(text);
  }
}

/** @param {string} text */
function selected(text) {
  const focused = /** @type {HTMLElement | null} */ (document.activeElement);
  const field = document.createElement("textarea");
  field.value = text;
  field.style.cssText = "position:fixed;opacity:0";
  document.body.append(field);
  field.select();
  const done = document.execCommand("copy");
  field.remove();
  focused?.focus({ preventScroll: true });
  return done;
}
