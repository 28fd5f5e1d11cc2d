/** What a view keeps of a document that it looks at again and again, without a page; and its HTML. */

/** @typedef {import("../../sse_widget/js/markdown/pieces.js").Piece} Piece */
/** @typedef {import("../../sse_widget/js/markdown/document.js").MarkdownDocument} MarkdownDocument */
/** @typedef {Omit<Piece, "done" | "renewed" | "final" | "children"> & {children: Seen[]}} Seen */

export class Mirror {
  /** @type {WeakMap<Piece, {children: Seen[], text: string}>} what is final */
  #kept = new WeakMap();
  /** @type {WeakMap<Piece, Seen>} */
  #seen = new WeakMap();

  /**
   * @param {MarkdownDocument} source
   * @param {Piece} root of it, after a read
   * @returns {Seen} all of it, as a reader sees it now
   */
  look(source, root) {
    const seen = this.#look(root);
    for (const piece of source.revised) {
      const old = this.#seen.get(piece);
      if (old) old.children = piece.children.map((child) => this.#look(child));
    }
    return seen;
  }

  /** @param {Piece} piece @returns {Seen} */
  #look(piece) {
    const known = piece.renewed ? undefined : this.#kept.get(piece);
    const kept = known ?? { children: [], text: "" };
    this.#kept.set(piece, kept);
    const fresh = piece.children.map((child) => this.#look(child));
    const { done: _done, renewed: _renewed, final, ...rest } = piece;
    kept.text += final;
    const seen = { ...rest, text: kept.text + piece.text, children: [...kept.children, ...fresh] };
    kept.children.push(...fresh.slice(0, piece.done));
    this.#seen.set(piece, seen);
    return seen;
  }
}

/** @type {Record<string, string>} */
const TAGS = {
  quote: "blockquote",
  paragraph: "p",
  strong: "strong",
  emphasis: "em",
  struck: "s",
  item: "li",
};

/**
 * HTML as markdown-it writes it, but for line ends between blocks, and with what it does not know in elements of
 * its own.
 *
 * @param {Seen} seen
 * @param {boolean} [hidden] whether paragraphs are those of a tight list
 * @returns {string}
 */
export function html(seen, hidden = false) {
  const inner = () => seen.children.map((child) => html(child)).join("");
  switch (seen.kind) {
    case "document":
    case "none":
      return inner();
    case "text":
      return escaped(seen.text);
    case "paragraph":
      return hidden ? inner() : `<p>${box(seen)}${inner()}</p>`;
    case "heading":
      return `<h${seen.level}>${inner()}</h${seen.level}>`;
    case "item":
      return `<li>${seen.children.map((child) => html(child, hidden)).join("")}</li>`;
    case "list":
      return list(seen);
    case "code":
      return `<pre><code${seen.info ? ` class="language-${escaped(seen.info)}"` : ""}>${escaped(seen.text)}</code></pre>`;
    case "literal":
      return `<code>${escaped(seen.text)}</code>`;
    case "link":
      return `<a href="${escaped(seen.href)}">${inner()}</a>`;
    case "image":
      return `<img src="${escaped(seen.href)}" alt="${escaped(seen.info)}">`;
    case "break":
      return "<br>";
    case "rule":
      return "<hr>";
    case "table":
      return table(seen);
    case "math":
      return `<math${seen.display ? " display" : ""}${seen.pending ? " pending" : ""}>${escaped(seen.text)}</math>`;
    default: {
      const tag = TAGS[seen.kind];
      if (!tag) throw new Error(`unknown kind ${seen.kind}`);
      return `<${tag}>${inner()}</${tag}>`;
    }
  }
}

/** @param {Seen} list */
function list({ ordered, level, loose, children }) {
  const tag = ordered ? "ol" : "ul";
  const start = ordered && level !== 1 ? ` start="${level}"` : "";
  return `<${tag}${start}>${children.map((item) => html(item, !loose)).join("")}</${tag}>`;
}

/** @param {Seen} table */
function table({ children: [head, ...rows] }) {
  const body = rows.length ? `<tbody>${rows.map(row).join("")}</tbody>` : "";
  return `<table><thead>${head ? row(head) : ""}</thead>${body}</table>`;
}

/** @param {Seen} row @returns {string} */
function row({ children }) {
  const cells = children.map(({ display, info, children: spans }) => {
    const tag = display ? "th" : "td";
    const style = info ? ` style="text-align:${info}"` : "";
    return `<${tag}${style}>${spans.map((span) => html(span)).join("")}</${tag}>`;
  });
  return `<tr>${cells.join("")}</tr>`;
}

/** @param {Seen} paragraph */
function box({ checked }) {
  return checked === null ? "" : `<input${checked ? " checked" : ""}>`;
}

/** @param {string} text */
function escaped(text) {
  return text
    .replaceAll("&", "&amp;")
    .replaceAll("<", "&lt;")
    .replaceAll(">", "&gt;")
    .replaceAll('"', "&quot;");
}
