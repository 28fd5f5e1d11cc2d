/** Whether a parse is of a text that may go on. */

/** @param {{env: object}} state of a parse, whose env is grammar.js's */
export function isOpen({ env }) {
  return /** @type {{open?: boolean}} */ (env).open === true;
}
