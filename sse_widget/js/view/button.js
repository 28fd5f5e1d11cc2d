/** Buttons that are sometimes of no use. */

/**
 * Lets a button be pressed, or not. One that has the focus keeps it until the reader moves on: `disabled` would throw
 * whoever works by keyboard back to the page.
 *
 * @param {HTMLButtonElement} button
 * @param {boolean} allowed
 */
export function allow(button, allowed) {
  const held = !allowed && button.matches(":focus");
  button.disabled = !allowed && !held;
  button.setAttribute("aria-disabled", String(!allowed));
  if (held) button.addEventListener("blur", () => allow(button, !refuses(button)), { once: true });
}

/** @param {HTMLButtonElement} button @param {() => unknown} act @param {AbortSignal} signal */
export function onPress(button, act, signal) {
  button.addEventListener("click", () => !refuses(button) && act(), { signal });
}

/** @param {HTMLButtonElement} button */
function refuses(button) {
  return button.getAttribute("aria-disabled") === "true";
}
