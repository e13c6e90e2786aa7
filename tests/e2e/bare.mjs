/**
 * What the runtime costs by itself: the bare paths that the product's are measured against. Never part of the product.
 *
 * - `PUT /object/NAME` stores the body by one `put`
 * - `GET /object/NAME` sends it through the native pipe that the product uses: `pipeTo` a fixed-length stream, awaited
 *   under `waitUntil`
 * - `GET /raw/NAME` sends it untouched
 * - `GET /drain/NAME` reads it through a BYOB reader and says how many bytes it had
 * - `GET /waste?bytes=N` holds a buffer of that size: shows that a measurement of memory can fail
 */
const PIECE_BYTES = 256 * 1024;

async function pipe(object, context) {
  const { readable, writable } = new FixedLengthStream(object.size);
  context.waitUntil(object.body.pipeTo(writable));
  return new Response(readable, { headers: { "content-type": "text/csv" } });
}

async function drain(object) {
  const reader = object.body.getReader({ mode: "byob" });
  let buffer = new Uint8Array(PIECE_BYTES);
  let total = 0;
  for (;;) {
    const { done, value } = await reader.readAtLeast(PIECE_BYTES, buffer);
    if (value) {
      total += value.byteLength;
      buffer = new Uint8Array(value.buffer);
    }
    if (done || !value) return new Response(String(total));
  }
}

function waste(bytes) {
  const buffer = new Uint8Array(bytes).fill(1);
  return new Response(String(buffer.at(-1) + buffer.length));
}

/** The product's configuration names this class; nobody calls it here. */
export class UploadSession {}

export default {
  async fetch(request, env, context) {
    const url = new URL(request.url);
    const [, what, ...rest] = url.pathname.split("/");
    const name = rest.join("/");
    if (what === "health") return new Response("ok");
    if (what === "waste") return waste(Number(url.searchParams.get("bytes")));
    if (request.method === "PUT") {
      await env.FILES_BUCKET.put(name, request.body);
      return new Response("stored");
    }
    const object = await env.FILES_BUCKET.get(name);
    if (!object) return new Response("not found", { status: 404 });
    if (what === "object") return pipe(object, context);
    if (what === "raw") return new Response(object.body, { headers: { "content-type": "text/csv" } });
    return drain(object);
  },
  queue() {},
  scheduled() {},
};
