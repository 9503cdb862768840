/** Videos that come over the network, in pieces, so that a broken connection costs one piece. */

import path from 'node:path';
import { LongwatchError } from '../../src/errors.js';
import { type ApiEnv, type Context, createRoute, OpenAPIHono, z } from '../hono.js';
import type { ApiParts } from '../ports.js';
import { newUploadSchema, uploadJson, uploadSchema } from '../schema/upload.js';
import { type Upload, UploadFolder } from '../upload-folder.js';
import { json, problems } from './responses.js';

/** Addresses under this have bodies of their own size. */
export const UPLOADS_PATH = '/v1/uploads/';
/** Folder of the library that uploads become files in. */
const FOLDER = 'uploads';
const PIECE_TYPE = 'application/offset+octet-stream';

const uploadParams = z.object({ id: z.string().min(1).max(64) });
const offsetHeader = z.object({
  'Upload-Offset': z.string().openapi({ description: 'Bytes that are there.' }),
});

const create = createRoute({
  method: 'post',
  path: '/v1/uploads',
  operationId: 'createUpload',
  tags: ['Uploads'],
  summary: 'Begin to send a video',
  description:
    'Then send the file in pieces with `PATCH`, one after the other, each with the header `Upload-Offset`. After a broken connection `GET` says how far it came. The last piece starts the job that reads the video. What nobody goes on with is thrown away after a day.',
  request: { body: { required: true, content: { 'application/json': { schema: newUploadSchema } } } },
  responses: {
    201: {
      ...json(uploadSchema, 'The upload, empty.'),
      headers: z.object({ Location: z.string().openapi({ description: 'Where the pieces go.' }) }),
    },
    ...problems,
  },
});

const read = createRoute({
  method: 'get',
  path: '/v1/uploads/{id}',
  operationId: 'getUpload',
  tags: ['Uploads'],
  summary: 'How far an upload is',
  request: { params: uploadParams },
  responses: { 200: { ...json(uploadSchema, 'The upload.'), headers: offsetHeader }, ...problems },
});

const append = createRoute({
  method: 'patch',
  path: '/v1/uploads/{id}',
  operationId: 'appendToUpload',
  tags: ['Uploads'],
  summary: 'Send the next piece',
  request: {
    params: uploadParams,
    headers: z.object({
      'upload-offset': z
        .string()
        // An empty one would be the number 0.
        .regex(/^\d{1,16}$/, 'is no whole number')
        .transform(Number)
        .openapi({ type: 'integer', minimum: 0, description: 'Where the piece begins.' }),
    }),
    body: { required: true, content: { [PIECE_TYPE]: { schema: z.string().openapi({ format: 'binary' }) } } },
  },
  responses: {
    200: {
      ...json(uploadSchema, 'How far it is now; with `job_id` when the file is whole.'),
      headers: offsetHeader,
    },
    ...problems,
  },
});

const remove = createRoute({
  method: 'delete',
  path: '/v1/uploads/{id}',
  operationId: 'removeUpload',
  tags: ['Uploads'],
  summary: 'Throw an upload away; a file that is whole stays',
  request: { params: uploadParams },
  responses: { 204: { description: 'It is gone.' }, ...problems },
});

export function uploadRoutes({ library, jobs }: ApiParts) {
  const uploads = new UploadFolder(path.join(library.directory, FOLDER));
  const answer = (c: Context<ApiEnv>, upload: Upload) => {
    c.header('Upload-Offset', String(upload.offset));
    c.header('Cache-Control', 'no-store');
    return uploadJson(upload);
  };
  return new OpenAPIHono<ApiEnv>()
    .openapi(create, async (c) => {
      const { name, size_bytes } = c.req.valid('json');
      const upload = await uploads.create(name, size_bytes);
      return c.json(answer(c, upload), 201, { Location: `${UPLOADS_PATH}${upload.id}` });
    })
    .openapi(read, async (c) => c.json(answer(c, await uploads.find(c.req.valid('param').id)), 200))
    .openapi(append, async (c) => {
      if (c.req.header('content-type') !== PIECE_TYPE)
        throw new LongwatchError('unsupported_media_type', 'A piece is sent as plain bytes.', {
          hint: `Send the header "Content-Type: ${PIECE_TYPE}".`,
        });
      const { id } = c.req.valid('param');
      const { body } = c.req.raw;
      if (!body) throw new LongwatchError('bad_request', 'The piece is empty.', { hint: 'Send at least one byte.' });
      const upload = await uploads.append(id, c.req.valid('header')['upload-offset'], body, async (file) => {
        const job = await jobs.enqueue(file);
        c.set('jobId', job.id);
        return job.id;
      });
      return c.json(answer(c, upload), 200);
    })
    .openapi(remove, async (c) => {
      await uploads.remove(c.req.valid('param').id);
      return c.body(null, 204);
    });
}
