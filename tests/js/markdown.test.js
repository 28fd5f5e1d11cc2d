import assert from "node:assert/strict";

import { test } from "node:test";
import fc from "fast-check";
import MarkdownIt from "markdown-it";
import { MarkdownDocument } from "../../sse_widget/js/markdown/document.js";
import { isAllowed } from "../../sse_widget/js/markdown/links.js";
import { html, Mirror } from "./markdown_mirror.js";

/** @typedef {import("markdown-it").Token} Token */

/** Cuts wherever it can, so that short texts have many. */
const EAGER = { margin: 0, after: 0, limit: 30 };

/** @param {string} text */
function whole(text) {
  const source = new MarkdownDocument();
  source.append(text);
  return html(new Mirror().look(source, source.finish()));
}

/** @param {string[]} parts @param {Partial<typeof EAGER>} [seams] */
function streamed(parts, seams) {
  const source = new MarkdownDocument(seams);
  const mirror = new Mirror();
  for (const part of parts) {
    source.append(part);
    mirror.look(source, source.read());
  }
  return html(mirror.look(source, source.finish()));
}

// What means something to the parser, and words.
const ATOMS =
  'word|foo bar|مرحبا|١٢|5|1|.|!| |  |\t|*|**|_|`|``|```|```py|~~~|~~|[|]|](|](http://x.org)|[a](http://b.c "t")|![i](http://i.j/k)|\\(|\\)|\\[|\\]|\\|$|$$|&amp;|&|<|>|<http://a.b>|http://a.b/c|https://|[x] |[ ] |[r]|- |# |\n|\n\n|\r\n|\n  |\n    |\n      |  \n|\n- |\n* |\n1. |\n2) |\n> |\n>|\n> - |\n  - |\n    - |\n   1. |\n\n- |\n\n  |\n\n1. |\n## |\n---\n|\n===\n|\n***\n|\n```\n|\n~~~\n|\n$$\n|\n    code\n|\n\n    code\n'
    .split("|")
    .concat("|", "a|b", "\n| x ", "| a | b |\n|---|:-:|\n", "| 1 | 2 |\n", "\n---|---\n")
    .concat(
      "\n[r]: mailto:r@s 'title'\n",
      "\n\n[r]: <mailto:s>\n",
      '\n[Q ]:\n mailto:u\n"ti',
      "[r]",
      "[q][]",
      "[x][r]",
      "![r]",
    );
const texts = fc.array(fc.constantFrom(...ATOMS), { maxLength: 24 }).map((atoms) => atoms.join(""));

/** @param {string} text @param {number[]} sizes */
function cut(text, sizes) {
  const parts = [];
  for (let at = 0, i = 0; at < text.length; i++) {
    const size = sizes[i % sizes.length] ?? 1;
    parts.push(text.slice(at, at + size));
    at += size;
  }
  return parts;
}

const sizes = fc.array(fc.integer({ min: 1, max: 14 }), { minLength: 1, maxLength: 6 });

test("a text in parts ends as the same text in one", () => {
  fc.assert(
    fc.property(texts, sizes, fc.boolean(), (text, pieces, eager) => {
      assert.equal(streamed(cut(text, pieces), eager ? EAGER : undefined), whole(text));
    }),
    { numRuns: 3000 },
  );
});

/** What markdown-it itself makes of it, with the same links, without what it does not know. */
const reference = new MarkdownIt({ html: false }).disable(["html_block", "html_inline"]);
reference.validateLink = isAllowed;
const { escapeHtml, unescapeAll } = reference.utils;
Object.assign(reference.renderer.rules, {
  hardbreak: () => "<br>",
  code_block: (/** @type {Token[]} */ tokens, /** @type {number} */ at) => code(tokens[at]),
  fence: (/** @type {Token[]} */ tokens, /** @type {number} */ at) => code(tokens[at]),
});

/** @param {Token | undefined} token */
function code({ info, content } = new MarkdownIt.Token("fence", "code", 0)) {
  const [language] = unescapeAll(info).trim().split(/\s/);
  return `<pre><code${language ? ` class="language-${escapeHtml(language)}"` : ""}>${escapeHtml(content)}</code></pre>`;
}

/** @param {string} text */
function rendered(text) {
  const tokens = reference.parse(text, {});
  // Without the line ends between blocks.
  for (const token of tokens) token.block = false;
  return reference.renderer
    .render(tokens, reference.options, {})
    .replace(/(<(?:a|img) [^>]*?) title="[^"]*"/g, "$1");
}

test("a text in one is what markdown-it makes of it", () => {
  const documents = texts.map((text) => text.replaceAll(/https?:(\/\/)?/g, "mailto:").replaceAll("$", ""));
  fc.assert(
    fc.property(documents, (text) => {
      // Math and tasks are our own.
      fc.pre(!/\\[([]|\[[ xX]\]\s/.test(text));
      assert.equal(whole(text), rendered(text));
    }),
    { numRuns: 3000 },
  );
});
