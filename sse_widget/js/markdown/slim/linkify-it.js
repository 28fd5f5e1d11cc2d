/** In the bundle for linkify-it, which markdown-it makes and we do not use: bare links are found by links.js. */
export class LinkifyIt {}
