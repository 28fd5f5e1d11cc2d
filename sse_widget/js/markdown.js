/** Entry for web pages that show answers as Markdown: bundled to static/markdown.js, an ES module beside sse.js. */
export { beside, Parts } from "./parts.js";
export { MarkdownView } from "./view/markdown/view.js";
