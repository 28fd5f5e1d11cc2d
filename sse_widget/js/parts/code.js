/** Part: colours for code, by CodeMirror's stream parsers, line by line. Bundled to static/part-code.js. */
import { c, cpp, csharp, dart, java, kotlin, objectiveC, scala } from "@codemirror/legacy-modes/mode/clike";
import { css, less, sCSS } from "@codemirror/legacy-modes/mode/css";
import { diff } from "@codemirror/legacy-modes/mode/diff";
import { dockerFile } from "@codemirror/legacy-modes/mode/dockerfile";
import { fortran } from "@codemirror/legacy-modes/mode/fortran";
import { go } from "@codemirror/legacy-modes/mode/go";
import { haskell } from "@codemirror/legacy-modes/mode/haskell";
import { javascript, json, typescript } from "@codemirror/legacy-modes/mode/javascript";
import { julia } from "@codemirror/legacy-modes/mode/julia";
import { lua } from "@codemirror/legacy-modes/mode/lua";
import { octave } from "@codemirror/legacy-modes/mode/octave";
import { perl } from "@codemirror/legacy-modes/mode/perl";
import { powerShell } from "@codemirror/legacy-modes/mode/powershell";
import { properties } from "@codemirror/legacy-modes/mode/properties";
import { python } from "@codemirror/legacy-modes/mode/python";
import { r } from "@codemirror/legacy-modes/mode/r";
import { ruby } from "@codemirror/legacy-modes/mode/ruby";
import { rust } from "@codemirror/legacy-modes/mode/rust";
import { shell } from "@codemirror/legacy-modes/mode/shell";
import { standardSQL } from "@codemirror/legacy-modes/mode/sql";
import { stex } from "@codemirror/legacy-modes/mode/stex";
import { swift } from "@codemirror/legacy-modes/mode/swift";
import { toml } from "@codemirror/legacy-modes/mode/toml";
import { html, xml } from "@codemirror/legacy-modes/mode/xml";
import { yaml } from "@codemirror/legacy-modes/mode/yaml";
import { StringStream } from "@codemirror/streamparser";

/** @typedef {import("@codemirror/streamparser").StreamParser<any>} StreamParser */
/** @typedef {[text: string, className: string]} Token "" is no class */
/**
 * @typedef {object} Highlighter
 * @property {(line: string) => Token[]} line the next line, which is final
 * @property {(lines: string) => Token[]} peek the same for what may still change
 */

/** @type {[StreamParser, string][]} */
const LANGUAGES = [
  [python, "python py python3 ipython pycon sage"],
  [javascript, "javascript js jsx mjs cjs node"],
  [typescript, "typescript ts tsx"],
  [json, "json jsonc json5 jsonl ipynb"],
  [shell, "bash sh shell zsh console shell-session terminal"],
  [html, "html htm xhtml vue svelte"],
  [xml, "xml svg mathml rss xsl plist"],
  [css, "css"],
  [sCSS, "scss sass"],
  [less, "less"],
  [standardSQL, "sql mysql postgres postgresql sqlite plsql tsql"],
  [c, "c h"],
  [cpp, "cpp c++ cc cxx hpp cuda cu arduino"],
  [csharp, "csharp c# cs"],
  [objectiveC, "objectivec objc objective-c"],
  [java, "java"],
  [kotlin, "kotlin kt"],
  [scala, "scala"],
  [dart, "dart"],
  [rust, "rust rs"],
  [go, "go golang"],
  [r, "r rscript"],
  [julia, "julia jl"],
  [yaml, "yaml yml"],
  [toml, "toml"],
  [properties, "ini properties conf cfg dotenv env"],
  [diff, "diff patch"],
  [stex, "latex tex"],
  [ruby, "ruby rb"],
  [perl, "perl pl"],
  [lua, "lua"],
  [swift, "swift"],
  [haskell, "haskell hs"],
  [octave, "matlab octave"],
  [fortran, "fortran f90 f95"],
  [powerShell, "powershell ps1 pwsh"],
  [dockerFile, "dockerfile docker containerfile"],
];
const BY_NAME = new Map(
  LANGUAGES.flatMap(([parser, names]) =>
    names.split(" ").map((name) => /** @type {const} */ ([name, parser])),
  ),
);

/** A longer line stays plain, UTF-16 units. */
const LONGEST_LINE = 2000;
const TAB = 4;
const INDENT = 2;
/** @type {Token} */
const LINE_END = ["\n", ""];

/** CodeMirror's style names, in the order in which one of several counts, and our classes. */
/** @type {[RegExp, string][]} */
const CLASSES = [
  [/comment|quote/, "comment"],
  [/string-2|regexp|escape/, "special"],
  [/string|character/, "string"],
  [/number|integer|float/, "number"],
  [/atom|bool|null|constant|self|unit|color/, "constant"],
  [/keyword|modifier|controlOperator|operatorKeyword/i, "keyword"],
  [/tag|heading|header/, "tag"],
  [/attribute/, "attribute"],
  [/type|className|namespace|qualifier/, "type"],
  [/def|function|macro/, "definition"],
  [/builtin|standard/, "builtin"],
  [/meta|annotation|processingInstruction|documentMeta/, "meta"],
  [/inserted|positive/, "inserted"],
  [/deleted|negative/, "deleted"],
  [/property|variable-2|variable-3|local/, "name"],
];

/** @param {string} name of a language @returns {Highlighter | null} */
export function highlighterFor(name) {
  const parser = BY_NAME.get(name.toLowerCase());
  if (!parser) return null;
  const state = parser.startState?.(INDENT) ?? {};
  return {
    line: (line) => tokens(parser, state, line),
    peek: (lines) => {
      const own = copied(parser, state);
      return lines.split("\n").flatMap((line, i) => [...(i ? [LINE_END] : []), ...tokens(parser, own, line)]);
    },
  };
}

/** @param {StreamParser} parser @param {any} state */
function copied(parser, state) {
  if (parser.copyState) return parser.copyState(state);
  return Object.fromEntries(
    Object.entries(state).map(([key, value]) => [key, Array.isArray(value) ? value.slice() : value]),
  );
}

/**
 * @param {StreamParser} parser
 * @param {any} state goes on
 * @param {string} line
 * @returns {Token[]}
 */
function tokens(parser, state, line) {
  if (!line.length) parser.blankLine?.(state, INDENT);
  if (line.length > LONGEST_LINE) return [[line, ""]];
  const stream = new StringStream(line, TAB, INDENT);
  /** @type {Token[]} */
  const found = [];
  while (!stream.eol()) {
    stream.start = stream.pos;
    const name = classOf(read(parser, stream, state));
    const text = line.slice(stream.start, stream.pos);
    const last = found.at(-1);
    if (last?.[1] === name) last[0] += text;
    else if (text) found.push([text, name]);
  }
  return found;
}

/** A parser may change its state without reading on, some times. */
const TURNS = 10;

/** @param {StreamParser} parser @param {StringStream} stream @param {any} state */
function read(parser, stream, state) {
  for (let turn = 0; turn < TURNS; turn++) {
    const style = parser.token(stream, state);
    if (stream.pos > stream.start) return style;
  }
  stream.next();
  return null;
}

/** @param {string | null} style */
function classOf(style) {
  const name = style && CLASSES.find(([pattern]) => pattern.test(style))?.[1];
  return name ? `ssew-${name}` : "";
}
