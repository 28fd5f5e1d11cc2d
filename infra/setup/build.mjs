/**
 * Bundles sse_widget/js into sse_widget/static.
 *
 * Everything is built in memory first, so a build that fails leaves the last good bundles whole.
 */
import { mkdir, readdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const root = join(dirname(fileURLToPath(import.meta.url)), "..", "..");
const source = join(root, "sse_widget", "js");
const target = join(root, "sse_widget", "static");

/** Each is one file of its own. anywidget takes one module, and a page can copy one file. */
const bundles = [
  "sse.js",
  "markdown.js",
  "widget.js",
  "page/page.js",
  "page/dashboard.js",
  "view/widget.css",
  "page/page.css",
  "page/dashboard.css",
];
/** Loaded by name when an answer needs them (parts.js). */
const parts = (await readdir(join(source, "parts")).catch(() => [])).filter((file) => file.endsWith(".js"));
const copies = ["page/index.html", "page/dashboard.html", "page/icon.svg"];

/** What markdown-it brings along, and the browser has, or nobody uses. */
const slim = Object.fromEntries(
  ["entities", "linkify-it", "uc.micro", "punycode.js"].map((name) => [
    name,
    join(source, "markdown", "slim", `${name.replace(/\.js$/, "")}.js`),
  ]),
);

/**
 * The page loads the published sse.js as any other page would, not a copy inside its own bundle.
 * @type {import("esbuild").Plugin}
 */
const publishedLibrary = {
  name: "published-library",
  setup({ onResolve }) {
    onResolve({ filter: /^\.\.?\/sse\.js$/ }, ({ importer }) =>
      importer.startsWith(join(source, "page")) ? { path: "./sse.js", external: true } : undefined,
    );
  },
};

/**
 * @param {string} entry
 * @param {string} [name]
 * @returns {Promise<[string, Uint8Array]>} name in static/, and content
 */
async function bundled(entry, name = basename(entry)) {
  const { outputFiles } = await build({
    entryPoints: [join(source, entry)],
    outdir: target,
    write: false,
    bundle: true,
    format: "esm",
    target: "es2022",
    minify: true,
    legalComments: "eof",
    charset: "utf8",
    alias: slim,
    plugins: [publishedLibrary],
    logLevel: "warning",
  });
  return [name, /** @type {import("esbuild").OutputFile} */ (outputFiles[0]).contents];
}

/**
 * @param {string} file
 * @returns {Promise<[string, Uint8Array]>}
 */
async function copied(file) {
  return [basename(file), await readFile(join(source, file))];
}

const files = await Promise.all([
  ...bundles.map((entry) => bundled(entry)),
  ...parts.map((file) => bundled(`parts/${file}`, `part-${file}`)),
  ...copies.map(copied),
]);
const fresh = `${target}.new`;
await rm(fresh, { recursive: true, force: true });
await mkdir(fresh, { recursive: true });
for (const [name, content] of files) await writeFile(join(fresh, name), content);
await rm(target, { recursive: true, force: true });
await rename(fresh, target);
for (const [name, content] of files)
  console.log(`setup: static/${name} ${(content.length / 1024).toFixed(1)} KiB`);
