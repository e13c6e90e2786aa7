/**
 * The baseline of the soak test: an upload in parts by the runtime alone. It has the same bindings as the product,
 * because the local database, queue and Durable Object run in the measured process.
 *
 * - `GET /wake` makes one small call to each binding
 * - `GET /hoard?bytes=N` allocates a buffer of N bytes and keeps it
 * - `POST /NAME` creates an upload and returns its id
 * - `PUT /NAME?upload=ID&part=N` stores the body with one `uploadPart` and returns the part
 * - `POST /NAME?upload=ID` completes the upload from the parts in the JSON body
 */
import { DurableObject } from "cloudflare:workers";

export class UploadSession extends DurableObject {
  fetch() {
    this.ctx.storage.sql.exec("SELECT 1");
    return new Response("ok");
  }
}

export class RateLimiter extends DurableObject {}

async function wake({ DB, JOBS, UPLOADS }) {
  await DB.prepare("SELECT 1").first();
  await JOBS.send({});
  await UPLOADS.getByName("small").fetch("http://session/");
  return new Response("ok");
}

const hoard = [];

export default {
  async fetch(request, env) {
    const { pathname, searchParams } = new URL(request.url);
    const name = pathname.slice(1);
    if (name === "health") return new Response("ok");
    if (name === "wake") return wake(env);
    if (name === "hoard") {
      hoard.push(new Uint8Array(Number(searchParams.get("bytes"))).fill(1));
      return new Response("ok");
    }
    const id = searchParams.get("upload");
    if (!id) return new Response((await env.FILES_BUCKET.createMultipartUpload(name)).uploadId);
    const upload = env.FILES_BUCKET.resumeMultipartUpload(name, id);
    if (request.method === "PUT") {
      return Response.json(await upload.uploadPart(Number(searchParams.get("part")), request.body));
    }
    const object = await upload.complete(await request.json());
    return new Response(String(object.size));
  },
  queue() {},
  scheduled() {},
};
