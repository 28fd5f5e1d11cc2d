/** Part: answers as Markdown. Bundled to static/part-markdown.js. */
export { MarkdownView } from "../view/markdown/view.js";
