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
    const inside = root.contains(/** @type {Node} */ (event.composedPath()[0]));
    if (inside && KEYS.has(key) && !(shiftKey || ctrlKey || altKey || metaKey)) event.stopPropagation();
  };
  // On the window, before JupyterLab sees it.
  window.addEventListener("keydown", keep, { capture: true, signal });
}
