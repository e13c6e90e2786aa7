/**
 * The baseline: the cost of the runtime alone, with which the product is compared. Not part of the product.
 *
 * - `PUT /object/NAME` stores the body with one `put`
 * - `PUT /hashed/NAME` stores the body in pieces and also hashes them with the native SHA-256
 * - `GET /object/NAME` sends the object through the same native pipe as the product: `pipeTo` a fixed-length
 *   stream, awaited under `waitUntil`
 * - `GET /raw/NAME` sends the object's stream directly
 * - `GET /drain/NAME` reads the object with a BYOB reader and returns its number of bytes
 * - `GET /waste?bytes=N` allocates a buffer of that size, to show that the memory measurement notices it
 */
const PIECE_BYTES = 256 * 1024;

async function pipe(object, context) {
  const { readable, writable } = new FixedLengthStream(object.size);
  context.waitUntil(object.body.pipeTo(writable));
  return new Response(readable, { headers: { "content-type": "text/csv" } });
}

/** Reads a stream in pieces with one buffer, which is reused after `take` has finished. */
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

/** The configuration names this class, so it must exist. It is not used here. */
export class UploadSession {}
export class RateLimiter {}

export default {
  async fetch(request, env, context) {
    const url = new URL(request.url);
    const [, route, ...rest] = url.pathname.split("/");
    const name = rest.join("/");
    if (route === "health") return new Response("ok");
    if (route === "waste") return waste(Number(url.searchParams.get("bytes")));
    if (route === "hashed") return putHashed(env.FILES_BUCKET, name, request);
    if (request.method === "PUT") {
      await env.FILES_BUCKET.put(name, request.body);
      return new Response("stored");
    }
    const object = await env.FILES_BUCKET.get(name);
    if (!object) return new Response("not found", { status: 404 });
    if (route === "object") return pipe(object, context);
    if (route === "raw") return new Response(object.body, { headers: { "content-type": "text/csv" } });
    return drain(object);
  },
  queue() {},
  scheduled() {},
};
