/** In the bundle for punycode.js: the browser knows how to write a host in ASCII. */
export default {
  /** @param {string} host */
  toASCII: (host) => new URL(`http://${host}`).hostname || host,
  /** Shown is what the address says. @param {string} host */
  toUnicode: (host) => host,
};
