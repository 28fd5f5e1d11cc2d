/**
 * Where a widget's parts come from. Its own module was sent by the kernel and has no address, so they do not lie beside
 * it: the server has them, which answers also while the kernel is busy, and the kernel has them, which every host has.
 */
import { addressedServer, extensionServer } from "./transport/jupyter.js";

/** @typedef {import("./kernel.js").Model} Model */
/** @typedef {import("./parts.js").PartName} PartName */
/** @typedef {import("./transport/jupyter.js").Page} Page */

/** A kernel that is busy for longer answers the next time that the part is wanted. */
const KERNEL_PATIENCE_MS = 20_000;

/**
 * @param {Model} model
 * @param {Page} page
 * @returns {import("./parts.js").LoadPart}
 */
export function servedOrSent(model, page) {
  return (name) =>
    served(model, page, name)
      .catch(() => sent(model, name))
      .then(imported);
}

/** @param {Model} model @param {Page} page @param {PartName} name */
async function served(model, page, name) {
  const url = model.get("base_url");
  const server = model.get("in_jupyter") ? extensionServer(page) : url ? addressedServer(url) : null;
  if (!server) throw new Error("no server is known");
  const response = await fetch(new URL(`api/v1/parts/${name}.js`, server.base), {
    headers: server.headers(),
  });
  if (!response.ok) throw new Error(`the server answered ${response.status}`);
  return response.arrayBuffer();
}

/** @param {Model} model @param {PartName} name @returns {Promise<BufferSource>} */
function sent(model, name) {
  return new Promise((resolve, reject) => {
    const end = () => {
      clearTimeout(timer);
      model.off("msg:custom", hear);
    };
    const hear = (/** @type {any} */ message, /** @type {DataView[]} */ buffers) => {
      if (message?.type !== "part" || message.name !== name) return;
      end();
      const [buffer] = buffers;
      buffer
        ? resolve(/** @type {BufferSource} */ (buffer))
        : reject(new Error("the kernel does not have it"));
    };
    const timer = setTimeout(() => {
      end();
      reject(new Error("the kernel did not answer"));
    }, KERNEL_PATIENCE_MS);
    model.on("msg:custom", hear);
    model.send({ type: "part", name });
  });
}

/** @param {BufferSource} source */
async function imported(source) {
  const url = URL.createObjectURL(new Blob([source], { type: "text/javascript" }));
  try {
    return await import(url);
  } finally {
    URL.revokeObjectURL(url);
  }
}
