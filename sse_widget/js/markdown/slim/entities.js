/** In the bundle for entities, whose tables the browser has: 24 kB of every widget. */

const REFERENCE = /^&#?\w+;$/;

/**
 * The character of one reference such as `&copy;`; what is none stays as it is. Nothing in a textarea is an element, so
 * nothing is made, loaded or run.
 *
 * @param {string} reference
 */
export function decodeHTMLStrict(reference) {
  if (!REFERENCE.test(reference)) return reference;
  const area = document.createElement("textarea");
  area.innerHTML = reference;
  // HTML also takes references that do not end (`&not` of `&notit;`); the semicolon is left over then.
  const whole = !area.value.endsWith(";") || reference === "&semi;";
  return whole ? area.value : reference;
}
