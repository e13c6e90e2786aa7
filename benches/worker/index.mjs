/**
 * The product as it is deployed, with its baselines in the same process and on the same bucket. Not part of the
 * product.
 *
 * - `GET /bench/key/ID`: the object key of a file; `GET /bench/sidecar/ID`: the bytes of its sidecar
 * - `/bench/object|raw|drain/KEY`: the bare paths of `tests/e2e/bare.mjs`
 * - `GET /bench/cut/RIVAL/KEY?job`: the reference cut of an object, in JavaScript
 * - `PUT /bench/bytes`: keeps the body in memory; `GET /bench/memory/ENGINE?job&times=N` cuts it there N times
 * - `GET /bench/wasm-memory`: the size of the product's wasm memory in bytes
 */
import { wasmMemoryBytes } from "./memory.mjs";
import Product from "../../build/index.js";
import Bare from "../../tests/e2e/bare.mjs";
import { RIVALS, jobOf } from "./rivals.mjs";
import { WASM_ENGINES, cutInWasm } from "./wasm.mjs";

export * from "../../build/index.js";

const PIECE_BYTES = 256 * 1024;
const CSV = { headers: { "content-type": "text/csv" } };

let held = new Uint8Array();

/** The key of a file's object, and the size of its sidecar, which is stored under `metadata/`. */
async function objectsOf(bucket, id) {
  const found = [];
  for (let cursor, page; !page || page.truncated; cursor = page.cursor) {
    page = await bucket.list({ prefix: "uploads/", cursor });
    found.push(...page.objects.filter(({ key }) => key.includes(id)));
  }
  const [beside, bytes] = [true, false].map((wanted) =>
    found.filter(({ key }) => key.includes("/metadata/") === wanted),
  );
  return { key: bytes[0].key, sidecarBytes: beside.reduce((total, { size }) => total + size, 0) };
}

/** Cuts an object the usual way in JavaScript: a stream of text in, a stream of bytes out. */
async function cutObject(rival, object, job, context) {
  const { readable, writable } = new IdentityTransformStream();
  const texts = object.body.pipeThrough(new TextDecoderStream());
  const write = async () => {
    const encoder = new TextEncoder();
    const writer = writable.getWriter();
    for await (const text of rival(texts, job)) if (text) await writer.write(encoder.encode(text));
    await writer.close();
  };
  context.waitUntil(write());
  return new Response(readable, CSV);
}

async function* heldTexts() {
  const decoder = new TextDecoder();
  for (let at = 0; at < held.length; at += PIECE_BYTES) {
    yield decoder.decode(held.subarray(at, at + PIECE_BYTES), { stream: true });
  }
  yield decoder.decode();
}

async function cutHeld(engine, job, times) {
  for (let time = 1; time < times; time++) await cutHeld(engine, job, 1);
  if (WASM_ENGINES.includes(engine)) return new Response(new Blob(cutInWasm(engine, held, job)), CSV);
  const texts = [];
  for await (const text of RIVALS[engine](heldTexts(), job)) texts.push(text);
  return new Response(texts.join(""), CSV);
}

async function measure(request, env, context) {
  const url = new URL(request.url);
  const [, , route, name, ...rest] = url.pathname.split("/");
  if (route === "key") return new Response((await objectsOf(env.FILES_BUCKET, name)).key);
  if (route === "sidecar")
    return new Response(String((await objectsOf(env.FILES_BUCKET, name)).sidecarBytes));
  if (route === "wasm-memory") return new Response(String(wasmMemoryBytes()));
  if (route === "bytes") {
    held = new Uint8Array(await request.arrayBuffer());
    return new Response(String(held.length));
  }
  if (route === "memory") {
    return cutHeld(name, jobOf(url.searchParams), Number(url.searchParams.get("times")));
  }
  if (route === "cut") {
    const object = await env.FILES_BUCKET.get(rest.join("/"));
    return cutObject(RIVALS[name], object, jobOf(url.searchParams), context);
  }
  url.pathname = url.pathname.replace("/bench", "");
  return Bare.fetch(new Request(url, request), env, context);
}

export default {
  fetch: (request, env, context) =>
    new URL(request.url).pathname.startsWith("/bench/")
      ? measure(request, env, context)
      : new Product(context, env).fetch(request),
  queue: (batch, env, context) => new Product(context, env).queue(batch),
  scheduled: (event, env, context) => new Product(context, env).scheduled(event),
};
