/**
 * What the runtime costs by itself: the bare paths that the product's are measured against. Never part of the product.
 *
 * - `PUT /object/NAME` stores the body by one `put`
 * - `PUT /hashed/NAME` the same in pieces, which a native SHA-256 sees too
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

/** Reads a stream in pieces of one buffer, which is used again once `take` is done with it. */
async function forEachPiece(stream, take) {
  const reader = stream.getReader({ mode: "byob" });
  let buffer = new Uint8Array(PIECE_BYTES);
  for (;;) {
    const { done, value } = await reader.readAtLeast(PIECE_BYTES, buffer);
    if (value?.byteLength) {
      const taken = take(value);
      if (taken) await taken;
      buffer = new Uint8Array(value.buffer);
    }
    if (done || !value?.byteLength) return;
  }
}

async function drain(object) {
  let total = 0;
  await forEachPiece(object.body, (piece) => {
    total += piece.byteLength;
  });
  return new Response(String(total));
}

async function putHashed(bucket, name, request) {
  const { readable, writable } = new FixedLengthStream(Number(request.headers.get("content-length")));
  const put = bucket.put(name, readable);
  const digest = new crypto.DigestStream("SHA-256");
  const writers = [writable.getWriter(), digest.getWriter()];
  await forEachPiece(request.body, (piece) => Promise.all(writers.map((writer) => writer.write(piece))));
  await Promise.all(writers.map((writer) => writer.close()));
  await put;
  return new Response(String((await digest.digest).byteLength));
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
    if (what === "hashed") return putHashed(env.FILES_BUCKET, name, request);
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
