/** An upload as JSON. */

import { z } from '../hono.js';
import { PIECE_BYTES_MAX, UPLOAD_BYTES_MAX, type Upload } from '../upload-folder.js';
import { dateJson, dateSchema } from './units.js';

export const newUploadSchema = z
  .strictObject({
    name: z
      .string()
      .min(1)
      .max(1024)
      .openapi({ description: 'File name; folders in it are dropped.', example: 'film.mp4' }),
    // What is larger is refused with a hint of its own, 413.
    size_bytes: z.number().int().min(1).max(Number.MAX_SAFE_INTEGER).openapi({ maximum: UPLOAD_BYTES_MAX }),
  })
  .openapi('NewUpload');

export const uploadSchema = z
  .object({
    id: z.string(),
    name: z.string(),
    size_bytes: z.number().int(),
    offset_bytes: z.number().int().openapi({ description: 'Bytes that are there; the next piece begins here.' }),
    piece_bytes_max: z.number().int().openapi({ description: 'Largest piece that one request may carry.' }),
    job_id: z.string().optional().openapi({ description: 'The job that reads the file, once it is whole.' }),
    created_at: dateSchema,
  })
  .openapi('Upload');

export function uploadJson(upload: Upload): z.infer<typeof uploadSchema> {
  return {
    id: upload.id,
    name: upload.name,
    size_bytes: upload.size,
    offset_bytes: upload.offset,
    piece_bytes_max: PIECE_BYTES_MAX,
    ...(upload.jobId === undefined ? {} : { job_id: upload.jobId }),
    created_at: dateJson(upload.created),
  };
}
