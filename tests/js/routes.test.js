import assert from "node:assert/strict";
import { test } from "node:test";
import { rungs, verdict } from "../../sse_widget/js/transport/routes.js";

const NODE = "0a1b2c3d";

/** @typedef {import("../../sse_widget/js/transport/routes.js").Facts} Facts */

/** @param {Partial<Facts>} facts @returns {Facts} */
const facts = (facts) => ({
  pageUrl: "http://localhost:8888/lab",
  jupyterUrl: "",
  inJupyter: false,
  kernelUrl: "",
  colab: false,
  permission: "granted",
  wanted: "auto",
  ...facts,
});

/** @param {Partial<Facts>} given */
const ways = (given) =>
  rungs(facts(given)).map(({ route, base, refusal }) => [route, base, refusal].filter(Boolean).join(" "));

const OWN = "http://127.0.0.1:41234/";
const HUB = "https://hub.example/user/a/";

const CASES = /** @type {[string, Partial<Facts>, string[]][]} */ ([
  ["nothing is known", {}, []],
  [
    "JupyterLab with the extension",
    { jupyterUrl: HUB, inJupyter: true, pageUrl: `${HUB}lab` },
    [`extension ${HUB}sse-widget/`],
  ],
  ["the extension's kernel in a page of another notebook", { inJupyter: true }, []],
  ["marimo on this computer", { kernelUrl: OWN }, [`url ${OWN}`]],
  [
    "JupyterLab on this computer, a kernel with a server of its own",
    { kernelUrl: OWN, jupyterUrl: "http://localhost:8888/" },
    [`url ${OWN}`, "proxy http://localhost:8888/proxy/41234/"],
  ],
  [
    "a hub far away: localhost is the reader's computer, so its proxy comes first",
    { kernelUrl: OWN, jupyterUrl: HUB, pageUrl: `${HUB}lab` },
    [`proxy ${HUB}proxy/41234/`, `url ${OWN}`],
  ],
  [
    "which the browser would ask the reader about",
    { kernelUrl: OWN, jupyterUrl: HUB, pageUrl: `${HUB}lab`, permission: "prompt" },
    [`proxy ${HUB}proxy/41234/`, `url ${OWN} lna_prompt`],
  ],
  [
    "or forbids",
    { kernelUrl: OWN, pageUrl: "https://colab.example/", permission: "denied" },
    [`url ${OWN} lna_denied`],
  ],
  [
    "Colab",
    { kernelUrl: OWN, pageUrl: "https://x-colab.googleusercontent.com/", colab: true, permission: "prompt" },
    [`url ${OWN} lna_prompt`, "colab"],
  ],
  [
    "VS Code's webview is of this computer",
    { kernelUrl: OWN, pageUrl: "vscode-webview://0abc/" },
    [`url ${OWN}`],
  ],
  ["a frame without an address", { kernelUrl: OWN, pageUrl: "about:srcdoc" }, [`url ${OWN}`]],
  [
    "a given server far away, from a page of http",
    { kernelUrl: "http://lab.example:8765/", pageUrl: "http://hub.example/" },
    ["url http://lab.example:8765/"],
  ],
  [
    "and from one of https: mixed content",
    { kernelUrl: "http://lab.example:8765/", pageUrl: `${HUB}lab`, jupyterUrl: HUB },
    ["url http://lab.example:8765/ mixed_content"],
  ],
  [
    "a given server of https",
    { kernelUrl: "https://lab.example/sse/", pageUrl: `${HUB}lab`, jupyterUrl: HUB },
    ["url https://lab.example/sse/"],
  ],
  ["the relay was asked for", { kernelUrl: OWN, wanted: "relay" }, []],
  [
    "the proxy was asked for",
    { kernelUrl: OWN, jupyterUrl: "http://localhost:8888/", wanted: "proxy" },
    ["proxy http://localhost:8888/proxy/41234/"],
  ],
  [
    "the address was asked for: let the browser ask the reader",
    { kernelUrl: OWN, pageUrl: `${HUB}lab`, permission: "prompt", wanted: "url" },
    [`url ${OWN}`],
  ],
  [
    "IPv6",
    { kernelUrl: "http://[::1]:5/", jupyterUrl: HUB },
    ["url http://[::1]:5/", `proxy ${HUB}proxy/5/`],
  ],
  [
    "a port that is not written",
    { kernelUrl: "http://localhost/", jupyterUrl: HUB },
    ["url http://localhost/", `proxy ${HUB}proxy/80/`],
  ],
]);
for (const [name, given, want] of CASES) test(`ways: ${name}`, () => assert.deepEqual(ways(given), want));

/** @typedef {import("../../sse_widget/js/transport/routes.js").Rung} Rung */
/** @typedef {import("../../sse_widget/js/transport/routes.js").Tried} Tried */
const HTTPS = { pageUrl: `${HUB}lab` };
const VERDICTS = /** @type {[string, Partial<Rung>, Tried, Partial<Facts>, string][]} */ ([
  ["it is the kernel's", {}, { status: 200, node: NODE }, {}, ""],
  [
    "another server of ours has the port on this computer",
    {},
    { status: 200, node: "ffffffff" },
    {},
    "other_server",
  ],
  ["something else answers", {}, { status: 200, node: "" }, {}, "other_server"],
  [
    "an address far away is no coincidence: one of several servers behind it",
    { base: "https://lab.example/" },
    { status: 200, node: "ffffffff" },
    {},
    "",
  ],
  ["nothing listens", {}, { status: 0 }, {}, "unreachable"],
  ["something answers that this page may not read", {}, { status: 0, hidden: true }, {}, "cors_refused"],
  ["it takes too long", {}, { late: true }, {}, "probe_timeout"],
  [
    "no proxy is installed",
    { route: "proxy", base: `${HUB}proxy/1/` },
    { status: 404 },
    HTTPS,
    "proxy_missing",
  ],
  [
    "the proxy's target does not listen",
    { route: "proxy", base: `${HUB}proxy/1/` },
    { status: 500 },
    HTTPS,
    "proxy_missing",
  ],
  ["the proxy refuses", { route: "proxy", base: `${HUB}proxy/1/` }, { status: 403 }, HTTPS, "proxy_refused"],
  ["a login page", { route: "proxy", base: `${HUB}proxy/1/` }, { redirected: true }, HTTPS, "login_required"],
  ["no login", { route: "extension", base: `${HUB}sse-widget/` }, { status: 401 }, HTTPS, "login_required"],
  ["refused", { route: "extension", base: `${HUB}sse-widget/` }, { status: 403 }, HTTPS, "forbidden"],
  ["no extension", { route: "extension", base: `${HUB}sse-widget/` }, { status: 404 }, HTTPS, "no_server"],
  ["the reader said no", {}, { status: 0 }, { ...HTTPS, permission: "denied" }, "lna_denied"],
  [
    "a page of http may not even ask",
    {},
    { status: 0 },
    { pageUrl: "http://hub.example/", permission: "barred" },
    "lna_denied",
  ],
  ["a browser without such a rule", {}, { status: 0 }, { ...HTTPS, permission: "unknown" }, "unreachable"],
]);
for (const [name, rung, tried, given, want] of VERDICTS)
  test(`verdict: ${name}`, () =>
    assert.equal(
      verdict({ route: "url", base: OWN, refusal: "", ...rung }, tried, NODE, facts(given)),
      want,
    ));
