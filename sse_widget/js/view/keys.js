/** Keys that belong to the control that has the focus, and not to the notebook around it. */

const KEYS = new Set([
  "Enter",
  " ",
  "ArrowUp",
  "ArrowDown",
  "ArrowLeft",
  "ArrowRight",
  "Home",
  "End",
  "PageUp",
  "PageDown",
]);

/**
 * Keeps them from JupyterLab, which takes arrows as a move to another cell and Enter as a wish to edit the cell. What the
 * browser does with them stays.
 *
 * @param {HTMLElement} root
 * @param {AbortSignal} signal
 */
export function keepKeys(root, signal) {
  const keep = (/** @type {KeyboardEvent} */ event) => {
    const { key, shiftKey, ctrlKey, altKey, metaKey } = event;
    const target = /** @type {Element} */ (event.composedPath()[0]);
    // A letter goes to the option that begins with it; to JupyterLab, two of them mean that the cell is to be deleted.
    const own = KEYS.has(key) || (key.length === 1 && target.localName === "select");
    if (root.contains(target) && own && !(shiftKey || ctrlKey || altKey || metaKey)) event.stopPropagation();
  };
  // On the window, before JupyterLab sees it.
  window.addEventListener("keydown", keep, { capture: true, signal });
}
