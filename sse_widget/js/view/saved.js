/** The saved form of an answer (saved.py), an output of its own beside the widget's. */

const ID = /^[0-9a-f]+$/;

/**
 * Hides the saved form of this widget, wherever it stands in the page, for as long as `root` is in the page.
 *
 * @param {HTMLElement} root of a live view
 * @param {unknown} id the trait `saved_id`; a notebook that was saved before it was known has none
 */
export function hideSaved(root, id) {
  if (typeof id !== "string" || !ID.test(id)) return;
  const style = document.createElement("style");
  // JupyterLab gives each output a row with a prompt, which would stay as a gap.
  style.textContent = `.ssew-saved-${id}, .jp-OutputArea-child:has(> * > .ssew-saved-${id}) { display: none }`;
  root.append(style);
}
