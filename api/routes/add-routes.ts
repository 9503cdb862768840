/** Every route of the API, one resource a file, as one app whose type a client can be made of. */

import type { ApiEnv, OpenAPIHono } from '../hono.js';
import type { RequestMetrics } from '../metrics.js';
import type { ApiParts } from '../ports.js';
import { StillMaker } from '../still-maker.js';
import { askRoutes } from './ask.js';
import { chatRoutes } from './chat.js';
import { clipRoutes } from './clip.js';
import { estimateRoutes } from './estimate.js';
import { eventRoutes } from './events.js';
import { exportRoutes } from './export.js';
import { folderRoutes } from './folders.js';
import { frameRoutes } from './frames.js';
import { healthRoutes } from './health.js';
import { jobRoutes } from './jobs.js';
import { lookRoutes } from './look.js';
import { mcpRoutes } from './mcp.js';
import { mediaRoutes } from './media.js';
import { metricsRoutes } from './metrics.js';
import { modelRoutes } from './models.js';
import { overviewRoutes } from './overview.js';
import { searchRoutes } from './search.js';
import { segmentRoutes } from './segments.js';
import { sessionRoutes } from './session.js';
import { statusRoutes } from './status.js';
import { summaryRoutes } from './summary.js';
import { uploadRoutes } from './uploads.js';
import { videoRoutes } from './videos.js';
import { watchRoutes } from './watches.js';
import { workerRoutes } from './workers.js';

export interface RouteContext {
  readonly parts: ApiParts;
  /** Ends the streams of clients. */
  readonly shutdown: AbortSignal;
  readonly metrics: RequestMetrics;
}

/** The type that `hc` reads: paths, methods, what they take and what they answer. */
export type ApiRoutes = ReturnType<typeof addRoutes>;

export function addRoutes(app: OpenAPIHono<ApiEnv>, { parts, shutdown, metrics }: RouteContext) {
  const stills = new StillMaker(parts.decoder);
  return app
    .route('/', searchRoutes(parts))
    .route('/', askRoutes(parts, shutdown))
    .route('/', videoRoutes(parts))
    .route('/', estimateRoutes(parts))
    .route('/', uploadRoutes(parts))
    .route('/', segmentRoutes(parts))
    .route('/', eventRoutes(parts))
    .route('/', overviewRoutes(parts))
    .route('/', exportRoutes(parts))
    .route('/', mediaRoutes(parts))
    .route('/', frameRoutes(parts, stills))
    .route('/', clipRoutes(parts))
    .route('/', lookRoutes(parts))
    .route('/', summaryRoutes(parts))
    .route('/', modelRoutes(parts))
    .route('/', jobRoutes(parts, shutdown))
    .route('/', workerRoutes(parts))
    .route('/', folderRoutes(parts))
    .route('/', sessionRoutes(parts))
    .route('/', watchRoutes(parts))
    .route('/', chatRoutes(parts, shutdown))
    .route('/', mcpRoutes(parts, stills))
    .route('/', statusRoutes(parts))
    .route('/', healthRoutes(parts, shutdown))
    .route('/', metricsRoutes(parts, metrics, shutdown));
}
